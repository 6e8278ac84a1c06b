//! The way between a gateway and a service: a TCP proxy that a test can make as bad as networks are.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// How long to wait with taking the port again, if somebody else has it.
const RETRY: Duration = Duration::from_millis(5);

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything passes.
    Open,
    /// Everything passes, so much later.
    Slow(Duration),
    /// Nothing passes and nobody is told, like behind a firewall that drops packets. Connections can still be made.
    Silent,
    /// The service is gone and could not say so: its end of each connection is closed, the other seems open.
    HalfOpen,
    /// Connections are reset, and so is each new one.
    Reset,
    /// Connections are reset, and no new ones are taken.
    Refused,
}

/// A way that is open until a test says otherwise.
#[derive(Debug)]
pub struct Road {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

impl Road {
    /// The way to a service.
    pub async fn to(service: SocketAddr) -> Self {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
            Ok(listener) => listener,
            Err(error) => panic!("no port for a proxy: {error}"),
        };
        let address = match listener.local_addr() {
            Ok(address) => address,
            Err(error) => panic!("a proxy without an address: {error}"),
        };
        let (state, seen) = watch::channel(State::Open);
        let task = tokio::spawn(accept(listener, address, service, seen));
        Self { address, state, task }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes it better or worse, for what is under way too.
    pub fn turn(&self, state: State) {
        self.state.send_replace(state);
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    service: SocketAddr,
    mut state: watch::Receiver<State>,
) {
    let mut open = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let refused = *state.borrow_and_update() == State::Refused;
        match &open {
            Some(_) if refused => open = None,
            None if !refused => open = TcpListener::bind(address).await.ok(),
            _ => {}
        }
        let accepted = async {
            match &open {
                Some(listener) => listener.accept().await.ok(),
                None if refused => std::future::pending().await,
                None => {
                    sleep(RETRY).await;
                    None
                }
            }
        };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            accepted = accepted => if let Some((client, _)) = accepted {
                connections.spawn(carry(client, service, state.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection to its end.
async fn carry(mut client: TcpStream, service: SocketAddr, state: watch::Receiver<State>) {
    if is_cut(*state.borrow()) {
        return reset(client);
    }
    let Ok(mut server) = TcpStream::connect(service).await else { return reset(client) };
    for stream in [&client, &server] {
        // What is small must not wait for what follows it.
        let _best_effort = stream.set_nodelay(true);
    }
    let mut changes = state.clone();
    let cut = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::select! {
            () = pump(from_client, to_server, &state) => return,
            () = pump(from_server, to_client, &state) => return,
            cut = changes.wait_for(|state| is_cut(*state)) => cut.is_ok_and(|state| *state != State::HalfOpen),
        }
    };
    drop(server);
    if !cut {
        // A host that is up again knows nothing of its old connections.
        let _gone = changes.wait_for(|state| *state != State::HalfOpen).await;
    }
    reset(client);
}

fn is_cut(state: State) -> bool {
    matches!(state, State::HalfOpen | State::Reset | State::Refused)
}

async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, state: &watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let now = *state.borrow();
        match now {
            State::Slow(delay) => sleep(delay).await,
            State::Silent => continue,
            _ => {}
        }
        if to.write_all(buffer.get(..count).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}

/// Closes a connection with a reset instead of an orderly end.
fn reset(stream: TcpStream) {
    let _best_effort = stream.set_zero_linger();
    drop(stream);
}
