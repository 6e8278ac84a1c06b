//! The user service over a real socket.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

mod account;
mod login;

use std::path::Path;

use proto::user::v1::{
    LoginRequest, LoginResponse, auth_service_client::AuthServiceClient,
    user_service_client::UserServiceClient,
};
use service_kit::{Boot, Clock, Running, Shutdown, Timestamp};
use tempfile::TempDir;
use tonic::{Code, Request, Status, metadata::MetadataValue, transport::Channel};
use tonic_types::StatusExt as _;

struct Bench {
    folder: TempDir,
    clock: Clock,
    service: Running,
    channel: Channel,
}

impl Bench {
    async fn start() -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), Clock::set_to(Timestamp::now()));
        let (service, channel) = serve(folder.path(), &clock).await;
        Self { folder, clock, service, channel }
    }

    /// A second process in all but name: another server over the same file.
    async fn replica(&self) -> (Running, Channel) {
        serve(self.folder.path(), &self.clock).await
    }

    fn users(&self) -> UserServiceClient<Channel> {
        UserServiceClient::new(self.channel.clone())
    }

    async fn login(&self, email: &str, password: &str) -> Result<LoginResponse, Status> {
        login(&self.channel, email, password).await
    }
}

async fn serve(folder: &Path, clock: &Clock) -> (Running, Channel) {
    let shutdown = Shutdown::new();
    let boot = Boot {
        args: user::Args::default(),
        database: folder.join("user.db"),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
    };
    let service = Running::start(user::start(boot).await.unwrap(), shutdown).await.unwrap();
    let channel = Channel::from_shared(service.url()).unwrap().connect_lazy();
    (service, channel)
}

async fn login(channel: &Channel, email: &str, password: &str) -> Result<LoginResponse, Status> {
    let request = LoginRequest { email: email.to_owned(), password: password.to_owned() };
    Ok(AuthServiceClient::new(channel.clone()).login(request).await?.into_inner())
}

/// A request as the gateway would send it for a signed-in user.
fn by<T>(principal: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-principal-id", MetadataValue::from_static(principal));
    request
}

fn by_admin<T>(message: T) -> Request<T> {
    let mut request = by("1", message);
    request.metadata_mut().insert("x-principal-roles", MetadataValue::from_static("admin"));
    request
}

/// The fields that an `INVALID_ARGUMENT` complains of.
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    details
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect()
}
