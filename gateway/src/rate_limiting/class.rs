//! Kinds of clients that have limits of their own.

use std::sync::Arc;

use serde::Deserialize;

use crate::context::Principal;
use crate::setting::{Problem, Spanned};

/// Who has no principal.
const ANONYMOUS: &str = "anonymous";

/// Who has one, and is of no other class.
const USER: &str = "user";

/// A line of `rate_limiting.classes`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    class: Spanned<String>,
    roles: Vec<Spanned<String>>,
}

/// The classes there are. Everybody is in exactly one.
#[derive(Debug)]
pub(crate) struct Classes(Vec<Class>);

#[derive(Debug)]
struct Class {
    name: Arc<str>,
    roles: Vec<String>,
}

impl Default for Classes {
    fn default() -> Self {
        Self(vec![Class { name: "admin".into(), roles: vec!["admin".to_owned()] }])
    }
}

impl Classes {
    /// The classes as they were written; without any there is `admin`, which is everybody with this role.
    pub(super) fn read(lines: &[Line], problems: &mut Vec<Problem>) -> Self {
        if lines.is_empty() {
            return Self::default();
        }
        let mut classes: Vec<Class> = Vec::new();
        for Line { class, roles } in lines {
            let name = class.value.as_str();
            let complaint = if [ANONYMOUS, USER].contains(&name) {
                Some(format!("`{name}` is there always: leave it out"))
            } else if name.is_empty() {
                Some("a class has a name".to_owned())
            } else if classes.iter().any(|known| *known.name == *name) {
                Some(format!("`{name}` is there twice: give it all its roles in one line"))
            } else if roles.is_empty() {
                Some(format!("nobody would be in `{name}`: give it roles"))
            } else {
                None
            };
            if let Some(complaint) = complaint {
                problems.push(Problem::at(class, "rate_limiting.classes", complaint));
                continue;
            }
            let roles = roles.iter().map(|role| role.value.clone()).collect();
            classes.push(Class { name: name.into(), roles });
        }
        Self(classes)
    }

    /// The class of this name, or a complaint that says which there are.
    pub(super) fn named(&self, name: &str) -> Result<Arc<str>, String> {
        let written = self.0.iter().map(|class| &*class.name);
        let known: Vec<&str> = [ANONYMOUS, USER].into_iter().chain(written).collect();
        if known.contains(&name) {
            return Ok(name.into());
        }
        Err(format!("there is no class `{name}`; there are {}", known.join(", ")))
    }

    /// The class of a principal: the first one that names a role it has.
    pub(super) fn of(&self, principal: &Principal) -> &str {
        if principal.id().is_none() {
            return ANONYMOUS;
        }
        let has = |class: &&Class| class.roles.iter().any(|role| principal.roles().contains(role));
        self.0.iter().find(has).map_or(USER, |class| &class.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Identity;

    fn read(yaml: &str) -> (Classes, Vec<String>) {
        let lines: Vec<Line> = serde_saphyr::from_str(yaml).unwrap();
        let mut problems = Vec::new();
        let classes = Classes::read(&lines, &mut problems);
        (classes, problems.iter().map(ToString::to_string).collect())
    }

    fn with(roles: &[&str]) -> Principal {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        Principal::Known(Arc::new(Identity::new("1".to_owned(), roles, None).unwrap()))
    }

    #[test]
    fn everybody_is_in_one_class() {
        let (usual, _) = read("[]");
        for (principal, class) in [
            (Principal::Anonymous, "anonymous"),
            (with(&[]), "user"),
            (with(&["Admin", "adm"]), "user"),
            (with(&["user", "admin"]), "admin"),
        ] {
            assert_eq!(usual.of(&principal), class, "{principal:?}");
        }
        let (own, problems) =
            read("[{ class: staff, roles: [admin, clerk] }, { class: partner, roles: [shop] }]");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(own.of(&with(&["shop", "clerk"])), "staff");
        assert_eq!(own.of(&with(&["shop"])), "partner");
        assert_eq!(own.of(&Principal::Anonymous), "anonymous");
        assert!(own.named("partner").is_ok() && own.named("user").is_ok());
        assert_eq!(
            own.named("admin").unwrap_err(),
            "there is no class `admin`; there are anonymous, user, staff, partner"
        );
    }

    #[test]
    fn refuses_classes_that_mean_nothing() {
        for (line, complaint) in [
            ("class: user, roles: [a]", "`user` is there always"),
            ("class: anonymous, roles: [a]", "`anonymous` is there always"),
            ("class: '', roles: [a]", "a class has a name"),
            ("class: staff, roles: []", "nobody would be in `staff`"),
        ] {
            let (_, problems) = read(&format!("[{{ {line} }}]"));
            assert!(problems[0].starts_with("1:11: rate_limiting.classes: "), "{problems:?}");
            assert!(problems[0].contains(complaint), "{problems:?}");
        }
        let (_, problems) = read("[{ class: a, roles: [b] }, { class: a, roles: [c] }]");
        assert!(problems[0].contains("twice"), "{problems:?}");
    }
}
