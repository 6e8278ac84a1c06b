//! Registering, reading, changing and removing users.

use prost_types::FieldMask;
use proto::user::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, UpdateUserRequest, User,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{Bench, by, by_admin, fields};

fn registration(email: &str, name: &str, password: &str) -> CreateUserRequest {
    CreateUserRequest {
        email: email.to_owned(),
        name: name.to_owned(),
        password: password.to_owned(),
    }
}

fn id(id: &str) -> GetUserRequest {
    GetUserRequest { id: id.to_owned() }
}

async fn update(bench: &Bench, user: User, mask: &[&str]) -> Result<User, Status> {
    let paths = mask.iter().map(|&path| path.to_owned()).collect();
    let request = UpdateUserRequest { user: Some(user), update_mask: Some(FieldMask { paths }) };
    Ok(bench.users().update_user(by("123", request)).await?.into_inner())
}

fn ada() -> User {
    User { id: "123".to_owned(), ..User::default() }
}

#[tokio::test]
async fn the_shop_opens_with_three_users() {
    let bench = Bench::start().await;
    let list =
        bench.users().list_users(by_admin(ListUsersRequest::default())).await.unwrap().into_inner();
    let users: Vec<_> =
        list.users.iter().map(|user| (user.id.as_str(), user.email.as_str())).collect();
    assert_eq!(
        users,
        [("1", "root@example.com"), ("123", "ada@example.com"), ("124", "bob@example.com")]
    );
    assert_eq!(list.users[0].roles, ["admin"]);
    assert_eq!(list.next_page_token, "");
}

#[tokio::test]
async fn lists_by_pages() {
    let bench = Bench::start().await;
    let page = |page_token| by_admin(ListUsersRequest { page_size: 2, page_token });
    let first = bench.users().list_users(page(String::new())).await.unwrap().into_inner();
    let second = bench.users().list_users(page(first.next_page_token)).await.unwrap().into_inner();
    assert_eq!((first.users.len(), second.users.len()), (2, 1));
    assert_eq!(second.next_page_token, "");
    let refused = bench.users().list_users(page("bm9wZQ".to_owned())).await.unwrap_err();
    assert_eq!(fields(&refused), ["page_token"]);
}

#[tokio::test]
async fn a_new_user_has_no_roles_and_can_log_in() {
    let bench = Bench::start().await;
    let request = registration("Eve@Example.com", "Eve", "battery-staple");
    let eve = bench.users().create_user(request).await.unwrap().into_inner();
    assert_eq!((eve.email.as_str(), eve.roles.len()), ("eve@example.com", 0));
    assert!(eve.create_time.is_some());
    bench.login("eve@EXAMPLE.com", "battery-staple").await.unwrap();
}

#[tokio::test]
async fn an_email_belongs_to_one_user() {
    let bench = Bench::start().await;
    let again =
        bench.users().create_user(registration("ADA@example.com", "Ada", "battery-staple")).await;
    let moved =
        update(&bench, User { email: "bob@example.com".to_owned(), ..ada() }, &["email"]).await;
    for status in [again.unwrap_err(), moved.unwrap_err()] {
        assert_eq!(status.code(), Code::AlreadyExists);
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "EMAIL_TAKEN");
    }
}

#[tokio::test]
async fn two_that_register_the_same_email_at_once_are_one() {
    let bench = Bench::start().await;
    let (mut here, mut there) = (bench.users(), bench.users());
    let request = registration("eve@example.com", "Eve", "battery-staple");
    let (one, other) = tokio::join!(here.create_user(request.clone()), there.create_user(request));
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|ok| **ok).count(), 1);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_registration_is_told_at_once() {
    let bench = Bench::start().await;
    let refused = bench.users().create_user(registration("nobody", "", "short")).await.unwrap_err();
    assert_eq!(fields(&refused), ["email", "name", "password"]);
}

#[tokio::test]
async fn a_user_is_seen_by_themselves_and_by_admins_only() {
    let bench = Bench::start().await;
    assert_eq!(
        bench.users().get_user(by("123", id("123"))).await.unwrap().get_ref().email,
        "ada@example.com"
    );
    assert_eq!(
        bench.users().get_user(by_admin(id("124"))).await.unwrap().get_ref().email,
        "bob@example.com"
    );
    let hidden = bench.users().get_user(by("123", id("124"))).await.unwrap_err();
    let absent = bench.users().get_user(by_admin(id("999"))).await.unwrap_err();
    let anonymous = bench.users().get_user(id("123")).await.unwrap_err();
    assert_eq!(
        (hidden.code(), absent.code(), anonymous.code()),
        (Code::NotFound, Code::NotFound, Code::NotFound)
    );
    assert_eq!(hidden.message().replace("124", "999"), absent.message());
}

#[tokio::test]
async fn a_user_changes_what_the_mask_names() {
    let bench = Bench::start().await;
    let both =
        User { name: "Countess".to_owned(), email: "Lovelace@example.com".to_owned(), ..ada() };
    let named = update(&bench, both.clone(), &["name"]).await.unwrap();
    assert_eq!((named.name.as_str(), named.email.as_str()), ("Countess", "ada@example.com"));
    let set = update(&bench, both, &[]).await.unwrap();
    assert_eq!(set.email, "lovelace@example.com");
    assert_eq!(update(&bench, ada(), &[]).await.unwrap(), set);
    let emptied = update(&bench, ada(), &["name"]).await.unwrap_err();
    assert_eq!(fields(&emptied), ["user.name"]);
}

#[tokio::test]
async fn nobody_makes_themselves_admin() {
    let bench = Bench::start().await;
    let admin = User { roles: vec!["admin".to_owned()], ..ada() };
    assert_eq!(fields(&update(&bench, admin.clone(), &[]).await.unwrap_err()), ["user.roles"]);
    assert_eq!(
        fields(&update(&bench, admin, &["roles"]).await.unwrap_err()),
        ["user.roles", "update_mask"]
    );
    for path in ["roles", "id", "create_time", "update_time", "password_hash"] {
        assert_eq!(
            fields(&update(&bench, ada(), &[path]).await.unwrap_err()),
            ["update_mask"],
            "{path}"
        );
    }
    let timed = User { create_time: Some(prost_types::Timestamp::default()), ..ada() };
    assert_eq!(fields(&update(&bench, timed, &[]).await.unwrap_err()), ["user.create_time"]);
    let seen = bench.users().get_user(by("123", id("123"))).await.unwrap().into_inner();
    assert!(seen.roles.is_empty());
}

#[tokio::test]
async fn another_user_can_not_be_changed() {
    let bench = Bench::start().await;
    let bob = User { id: "124".to_owned(), name: "Mallory".to_owned(), ..User::default() };
    assert_eq!(update(&bench, bob, &["name"]).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_removed_user_is_gone_from_every_replica() {
    let bench = Bench::start().await;
    let (_replica, there) = bench.replica().await;
    let request = || by_admin(DeleteUserRequest { id: "124".to_owned() });
    bench.users().delete_user(request()).await.unwrap();
    assert_eq!(bench.users().delete_user(request()).await.unwrap_err().code(), Code::NotFound);
    let refused = crate::login(&there, "bob@example.com", "correct-horse").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
