//! Users as rows and as messages.

use proto::user::v1::User;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use service_kit::{Failure, Timestamp, clock, errors};
use tonic::{Code, Status};

const COLUMNS: &str = "position, id, email, name, roles, create_time, update_time";

/// A user and their place in the list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) position: i64,
    pub(crate) user: User,
}

/// What a login is checked against.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) roles: Vec<String>,
    pub(crate) password_hash: String,
}

/// The user, or `NOT_FOUND`.
pub(crate) fn read(db: &Connection, id: &str) -> Result<User, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    let found = db.prepare_cached(&sql)?.query_row([id], listed).optional()?;
    Ok(found.map(|listed| listed.user).ok_or_else(|| errors::not_found("user", id))?)
}

/// Up to `limit` users after a position, oldest first.
pub(crate) fn list(
    db: &Connection,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Listed>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE position > ?1 ORDER BY position LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([after.unwrap_or_default(), limit], listed)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn by_email(db: &Connection, email: &str) -> Result<Option<Account>, Failure> {
    let mut statement =
        db.prepare_cached("SELECT id, roles, password_hash FROM users WHERE email = ?1")?;
    let account = statement.query_row([email], |row| {
        Ok(Account { id: row.get(0)?, roles: roles(row, 1)?, password_hash: row.get(2)? })
    });
    Ok(account.optional()?)
}

/// `ALREADY_EXISTS` when a user other than `except` has the email.
pub(crate) fn check_email(db: &Connection, email: &str, except: &str) -> Result<(), Failure> {
    let sql = "SELECT 1 FROM users WHERE email = ?1 AND id <> ?2";
    if db.prepare_cached(sql)?.exists([email, except])? { Err(taken().into()) } else { Ok(()) }
}

pub(crate) fn add(
    transaction: &Transaction<'_>,
    user: &User,
    password_hash: &str,
    now: Timestamp,
) -> Result<User, Failure> {
    check_email(transaction, &user.email, "")?;
    let sql = "INSERT INTO users (id, email, name, password_hash, create_time, update_time)
               VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute(params![
        user.id,
        user.email,
        user.name,
        password_hash,
        now.as_microsecond()
    ])?;
    read(transaction, &user.id)
}

/// Changes what is `Some`.
pub(crate) fn change(
    transaction: &Transaction<'_>,
    id: &str,
    email: Option<&str>,
    name: Option<&str>,
    now: Timestamp,
) -> Result<User, Failure> {
    read(transaction, id)?;
    if let Some(email) = email {
        check_email(transaction, email, id)?;
    }
    let sql = "UPDATE users SET email = coalesce(?2, email), name = coalesce(?3, name), update_time = ?4 WHERE id = ?1";
    transaction.prepare_cached(sql)?.execute(params![id, email, name, now.as_microsecond()])?;
    read(transaction, id)
}

/// `NOT_FOUND` when there is no such user.
pub(crate) fn remove(transaction: &Transaction<'_>, id: &str) -> Result<(), Failure> {
    match transaction.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id])? {
        0 => Err(errors::not_found("user", id).into()),
        _ => Ok(()),
    }
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let user = User {
        id: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        roles: roles(row, 4)?,
        create_time: Some(clock::to_proto(row.get(5)?)),
        update_time: Some(clock::to_proto(row.get(6)?)),
    };
    Ok(Listed { position: row.get(0)?, user })
}

fn roles(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let roles: String = row.get(column)?;
    Ok(roles.split(',').filter(|role| !role.is_empty()).map(str::to_owned).collect())
}

fn taken() -> Status {
    errors::reason(Code::AlreadyExists, "another user has this email", "EMAIL_TAKEN", [])
}
