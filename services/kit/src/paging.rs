//! `page_size` and `page_token` (AIP-158). A token is the key of the last row, opaque to clients: base64url of a
//! checksum and the key, so that a token of another list, or one that was cut or mistyped, is refused and never read as
//! a key. The checksum is no secret: whoever makes a token up only chooses where a list begins that they may read anyway.

use std::str::FromStr;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tonic::Status;

use crate::Violations;

const DEFAULT_SIZE: i32 = 20;
const LARGEST_SIZE: i32 = 100;
const CHECKSUM: usize = 8;
/// No key is longer; a longer token is refused before it is decoded.
const LONGEST_TOKEN: usize = 512;

/// The page a request asks for. `K` is the key that the list is ordered by.
#[derive(Debug)]
pub struct Page<K> {
    scope: String,
    size: usize,
    /// The key after which the page begins; none for the first page.
    pub after: Option<K>,
}

impl<K: FromStr + ToString> Page<K> {
    /// Reads the request. `scope` names the list with its filter, for example `"orders of 123"`: a token is good for one list.
    pub fn of(scope: &str, page_size: i32, page_token: &str) -> Result<Self, Status> {
        let mut violations = Violations::new();
        if page_size < 0 {
            violations.add("page_size", "must not be negative");
        }
        let after = if page_token.is_empty() { None } else { open(scope, page_token) };
        if after.is_none() && !page_token.is_empty() {
            violations.add("page_token", "is not a token of this list");
        }
        violations.check()?;
        let size = if page_size == 0 { DEFAULT_SIZE } else { page_size.min(LARGEST_SIZE) };
        Ok(Self { scope: scope.to_owned(), size: usize::try_from(size).unwrap_or_default(), after })
    }

    /// How many rows to read: one more than the page holds, to know whether another page follows.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or_default() + 1
    }

    /// Cuts the rows to the page, and gives the token of the next page: empty when this is the last.
    pub fn cut<R>(&self, mut rows: Vec<R>, key: impl Fn(&R) -> K) -> (Vec<R>, String) {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let token =
            rows.last().filter(|_| more).map(|last| seal(&self.scope, &key(last).to_string()));
        (rows, token.unwrap_or_default())
    }
}

fn seal(scope: &str, key: &str) -> String {
    let mut token = checksum(scope, key.as_bytes());
    token.extend_from_slice(key.as_bytes());
    URL_SAFE_NO_PAD.encode(token)
}

fn open<K: FromStr>(scope: &str, token: &str) -> Option<K> {
    if token.len() > LONGEST_TOKEN {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (sum, key) = bytes.split_at_checked(CHECKSUM)?;
    if sum != checksum(scope, key) {
        return None;
    }
    std::str::from_utf8(key).ok()?.parse().ok()
}

fn checksum(scope: &str, key: &[u8]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(scope.as_bytes());
    context.update(&[0]);
    context.update(key);
    context.finish().as_ref().iter().copied().take(CHECKSUM).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_until_the_last() {
        let first = Page::<i64>::of("users", 2, "").unwrap();
        assert_eq!((first.limit(), first.after), (3, None));
        let (rows, token) = first.cut(vec![10, 20, 30], |row| *row);
        assert_eq!(rows, [10, 20]);
        let second = Page::<i64>::of("users", 2, &token).unwrap();
        assert_eq!(second.after, Some(20));
        assert_eq!(second.cut(vec![30], |row| *row), (vec![30], String::new()));
    }

    #[test]
    fn a_page_has_20_rows_by_default_and_100_at_most() {
        for (asked, limit) in [(0, 21), (1, 2), (100, 101), (101, 101), (i32::MAX, 101)] {
            assert_eq!(Page::<i64>::of("users", asked, "").unwrap().limit(), limit);
        }
        assert!(Page::<i64>::of("users", -1, "").is_err());
    }

    #[test]
    fn refuses_a_token_that_is_not_of_this_list() {
        let forged = [
            seal("orders of 124", "7"),
            seal("orders of 123", "not a number"),
            "7".to_owned(),
            "!".to_owned(),
            URL_SAFE_NO_PAD.encode([0; CHECKSUM]),
            "A".repeat(LONGEST_TOKEN + 1),
        ];
        for token in forged {
            assert!(Page::<i64>::of("orders of 123", 0, &token).is_err(), "{token}");
        }
        assert_eq!(
            Page::<i64>::of("orders of 123", 0, &seal("orders of 123", "7")).unwrap().after,
            Some(7)
        );
    }
}
