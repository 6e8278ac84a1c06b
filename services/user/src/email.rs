//! What counts as an email address: the plain form that mail is delivered to, in lower case.

use service_kit::Violations;

const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;
const LONGEST_LABEL: usize = 63;

/// The address in lower case; what is none is a violation of `field`.
pub(crate) fn read(field: &str, text: &str, violations: &mut Violations) -> String {
    if text.is_empty() {
        violations.add(field, "is required");
    } else if !is_address(text) {
        violations.add(field, "must be an email address");
    }
    text.to_ascii_lowercase()
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_atom =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let dots = |part: &str| part.starts_with('.') || part.ends_with('.') || part.contains("..");
    text.len() <= LONGEST
        && (1..=LONGEST_LOCAL).contains(&local.len())
        && local.bytes().all(is_atom)
        && !dots(local)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_an_address_when_it_sees_one() {
        for good in ["ada@example.com", "a.b+c@mail.example.co", "x@1.de"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "ada@@example.com",
            "a b@example.com",
            ".a@example.com",
            "a..b@example.com",
            "ada@-x.com",
            "ada@x..com",
            "ada@example.com\n",
            "ad\u{e4}@example.com",
            &long,
        ] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_kept_in_lower_case() {
        let mut violations = Violations::new();
        assert_eq!(read("email", "Ada@Example.COM", &mut violations), "ada@example.com");
        violations.check().unwrap();
    }
}
