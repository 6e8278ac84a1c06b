//! What the principal alone decides.

use super::*;

#[test]
fn admits_exactly_whom_the_access_names() {
    let admin = || Access::Role("admin".to_owned());
    let known = |roles: &[&str]| known("123", roles);
    let unsigned = Err(Denied::NeedsAuthentication);
    let forbidden = Err(Denied::Forbidden);
    for (access, principal, expected) in [
        (Access::Public, Principal::Anonymous, Ok(())),
        (Access::Public, known(&[]), Ok(())),
        (Access::Authenticated, Principal::Anonymous, unsigned.clone()),
        (Access::Authenticated, known(&[]), Ok(())),
        (admin(), Principal::Anonymous, unsigned),
        (admin(), known(&[]), forbidden.clone()),
        (admin(), known(&["user"]), forbidden.clone()),
        (admin(), known(&["Admin"]), forbidden.clone()),
        (admin(), known(&["admin2"]), forbidden.clone()),
        (admin(), known(&["adm"]), forbidden.clone()),
        (admin(), known(&["user,admin"]), forbidden.clone()),
        (admin(), known(&["role:admin"]), forbidden.clone()),
        (admin(), known(&["admin"]), Ok(())),
        (admin(), known(&["user", "admin"]), Ok(())),
        (Access::Internal, Principal::Anonymous, forbidden.clone()),
        (Access::Internal, known(&["admin", "internal"]), forbidden.clone()),
        (Access::Rule("admin".to_owned()), known(&["admin"]), forbidden),
    ] {
        let rule = Arc::new(Rule::of_access(access.clone(), false));
        let answer = judge(&rule, &principal, b"", b"").map_err(|(step, denied)| {
            assert_eq!(step, Step::Admit, "{access:?} for {principal:?}");
            denied
        });
        assert_eq!(answer, expected, "{access:?} for {principal:?}");
    }
}

#[test]
fn a_rule_says_no_before_the_body_where_the_principal_decides() {
    let bob = known("124", &["staff"]);
    let request = all(r#"{"tree": {"name": "124"}}"#);
    for (rule, anonymous, bob_is_refused_at) in [
        ("'admin' in claims.roles", Step::Admit, Some(Step::Admit)),
        ("claims.sub == '123'", Step::Admit, Some(Step::Admit)),
        ("'admin' in claims.roles && request.tree.name == 'x'", Step::Admit, Some(Step::Admit)),
        ("'staff' in claims.roles && request.tree.name == 'x'", Step::Admit, Some(Step::Allow)),
        ("'staff' in claims.roles && response.tree.name == 'x'", Step::Admit, Some(Step::Answer)),
        ("'admin' in claims.roles || request.tree.name == 'x'", Step::Admit, Some(Step::Allow)),
        ("claims.sub == request.tree.name", Step::Admit, None),
        ("claims.sub == response.tree.name", Step::Admit, Some(Step::Answer)),
        ("false && claims.sub == response.tree.name", Step::Admit, Some(Step::Admit)),
        (
            "request.tree.name == 'x' && claims.sub == response.tree.name",
            Step::Admit,
            Some(Step::Allow),
        ),
        ("claims.sub in ['124', '125']", Step::Admit, None),
        ("size(claims.roles) == 1 && claims.roles == ['staff']", Step::Admit, None),
    ] {
        let rule = compile(rule).unwrap_or_else(|problems| panic!("{rule}: {problems:?}"));
        let refused = judge(&rule, &Principal::Anonymous, &request, &request).unwrap_err();
        assert_eq!(refused, (anonymous, Denied::NeedsAuthentication), "{rule:?}");
        let refused = judge(&rule, &bob, &request, b"").err().map(|(step, _)| step);
        assert_eq!(refused, bob_is_refused_at, "{rule:?}");
    }
}

#[test]
fn whoever_a_rule_about_claims_might_still_let_in_is_asked_to_sign_in() {
    for rule in [
        "true || claims.sub == 'a'",
        "request.scalars.a_bool || 'admin' in claims.roles",
        "response.scalars.a_bool || claims.sub == response.tree.name",
    ] {
        let rule = compile(rule).unwrap();
        let open = all(r#"{"scalars": {"aBool": true}}"#);
        let refused = judge(&rule, &Principal::Anonymous, &open, &open).unwrap_err();
        assert_eq!(refused, (Step::Admit, Denied::NeedsAuthentication), "{rule:?}");
    }
}

#[test]
fn a_rule_without_claims_asks_nobody_who_they_are() {
    let rule = compile("request.scalars.an_int32 <= 10").unwrap();
    let (small, big) =
        (all(r#"{"scalars": {"anInt32": 10}}"#), all(r#"{"scalars": {"anInt32": 11}}"#));
    for principal in [Principal::Anonymous, known("123", &["admin"])] {
        assert_eq!(judge(&rule, &principal, &small, b""), Ok(()));
        let refused = judge(&rule, &principal, &big, b"").unwrap_err();
        assert_eq!(refused, (Step::Allow, Denied::ForbiddenToAll));
    }
}

#[test]
fn who_may_not_see_an_answer_is_not_told_that_there_is_one() {
    let rule = compile("claims.sub == response.tree.name || 'admin' in claims.roles").unwrap();
    let answer = all(r#"{"tree": {"name": "123"}}"#);
    assert!(rule.conceals());
    assert_eq!(judge(&rule, &known("123", &[]), b"", &answer), Ok(()));
    assert_eq!(judge(&rule, &known("1", &["admin"]), b"", &answer), Ok(()));
    let refused = judge(&rule, &known("124", &[]), b"", &answer).unwrap_err();
    assert_eq!(refused, (Step::Answer, Denied::Hidden(None)));
    // An answer without an owner is nobody's.
    let refused = judge(&rule, &known("124", &[]), b"", b"").unwrap_err();
    assert_eq!(refused, (Step::Answer, Denied::Hidden(None)));
}
