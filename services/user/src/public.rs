//! `UserService`: what a request may ask, checked before it reaches the tables. Who is an admin was decided before;
//! whose user it is, is decided here: what a caller may not touch does not exist for them.

use proto::user::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, ListUsersResponse,
    UpdateUserRequest, User, user_service_server::UserService,
};
use service_kit::{
    Caller, Clock, Page, Store, Violations, errors, ids,
    mask::{Mask, Writable},
};
use tonic::{Request, Response, Status};

use crate::{accounts, email, password::Hasher};

const LONGEST_NAME: usize = 100;
const SHORTEST_PASSWORD: usize = 8;
const LONGEST_PASSWORD: usize = 128;

#[derive(Debug)]
pub(crate) struct Users {
    pub(crate) store: Store,
    pub(crate) hasher: Hasher,
    pub(crate) clock: Clock,
}

#[tonic::async_trait]
impl UserService for Users {
    async fn create_user(
        &self,
        request: Request<CreateUserRequest>,
    ) -> Result<Response<User>, Status> {
        let CreateUserRequest { email, name, password } = request.into_inner();
        let mut violations = Violations::new();
        let email = email::read("email", &email, &mut violations);
        violations.text("name", &name, 1, LONGEST_NAME);
        violations.text("password", &password, SHORTEST_PASSWORD, LONGEST_PASSWORD);
        violations.check()?;

        // Asked once before the costly hash, and decided in the transaction after it.
        let wanted = email.clone();
        self.store.read(move |db| accounts::check_email(db, &wanted, "")).await?;
        let hash = self.hasher.hash(password).await?;
        let user = User { id: ids::fresh(), email, name, ..User::default() };
        let now = self.clock.now();
        let user = self.store.write(move |tx| accounts::add(tx, &user, &hash, now)).await?;
        Ok(Response::new(user))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let caller = Caller::of(&request);
        let id = named("id", request.into_inner().id)?;
        hide(&caller, &id)?;
        let user = self.store.read(move |db| accounts::read(db, &id)).await?;
        Ok(Response::new(user))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let request = request.into_inner();
        let page = Page::<i64>::of("users", request.page_size, &request.page_token)?;
        let (after, limit) = (page.after, page.limit());
        let rows = self.store.read(move |db| accounts::list(db, after, limit)).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.position);
        let users = rows.into_iter().map(|row| row.user).collect();
        Ok(Response::new(ListUsersResponse { users, next_page_token }))
    }

    async fn update_user(
        &self,
        request: Request<UpdateUserRequest>,
    ) -> Result<Response<User>, Status> {
        let caller = Caller::of(&request);
        let UpdateUserRequest { user, update_mask } = request.into_inner();
        let user = user.ok_or_else(|| Violations::one("user", "is required"))?;
        let id = named("user.id", user.id)?;
        hide(&caller, &id)?;

        let mut violations = Violations::new();
        violations.output_only("user.roles", !user.roles.is_empty());
        violations.output_only("user.create_time", user.create_time.is_some());
        violations.output_only("user.update_time", user.update_time.is_some());
        let writable = [
            Writable { name: "email", is_set: !user.email.is_empty() },
            Writable { name: "name", is_set: !user.name.is_empty() },
        ];
        let mask = Mask::of(update_mask.as_ref(), &writable, &mut violations);
        let email =
            mask.has("email").then(|| email::read("user.email", &user.email, &mut violations));
        if mask.has("name") {
            violations.text("user.name", &user.name, 1, LONGEST_NAME);
        }
        let name = mask.has("name").then_some(user.name);
        violations.check()?;
        let now = self.clock.now();
        let user = if mask.is_empty() {
            self.store.read(move |db| accounts::read(db, &id)).await?
        } else {
            self.store
                .write(move |tx| accounts::change(tx, &id, email.as_deref(), name.as_deref(), now))
                .await?
        };
        Ok(Response::new(user))
    }

    async fn delete_user(
        &self,
        request: Request<DeleteUserRequest>,
    ) -> Result<Response<()>, Status> {
        let id = named("id", request.into_inner().id)?;
        self.store.write(move |tx| accounts::remove(tx, &id)).await?;
        Ok(Response::new(()))
    }
}

fn named(field: &str, id: String) -> Result<String, Status> {
    if id.is_empty() { Err(Violations::one(field, "is required")) } else { Ok(id) }
}

fn hide(caller: &Caller, id: &str) -> Result<(), Status> {
    if caller.may_act_for(id) { Ok(()) } else { Err(errors::not_found("user", id)) }
}
