use super::super::Undecodable;
use super::*;

/// What a template prints as, with its variables: `field` or `field+` when it may hold several segments.
#[track_caller]
fn check(text: &str, printed: &str, variables: &[&str]) {
    let template = Template::parse(text).expect(text);
    assert_eq!(template.to_string(), printed, "{text}");
    let found: Vec<String> = template
        .variables()
        .iter()
        .map(|variable| {
            format!(
                "{}{}",
                variable.field_path(),
                if variable.is_multi_segment() { "+" } else { "" }
            )
        })
        .collect();
    assert_eq!(found, variables, "{text}");
    assert_eq!(Template::parse(printed), Ok(template), "{text}");
}

#[test]
fn reads_the_whole_grammar() {
    check("/v1", "/v1", &[]);
    check("/v1/*", "/v1/*", &[]);
    check("/**", "/**", &[]);
    check("/v1/{id}", "/v1/{id}", &["id"]);
    check("/v1/{id=*}", "/v1/{id}", &["id"]);
    check("/v1/{user.id}/x", "/v1/{user.id}/x", &["user.id"]);
    check("/{_a.b_2.C}", "/{_a.b_2.C}", &["_a.b_2.C"]);
    check("/v1/{name=**}", "/v1/{name=**}", &["name+"]);
    check("/v1/{name=a}/b", "/v1/{name=a}/b", &["name"]);
    check("/v1/{name=a/*}/{id}", "/v1/{name=a/*}/{id}", &["name+", "id"]);
    check("/v1/{name=a/*/**}:get", "/v1/{name=a/*/**}:get", &["name+"]);
    check("/v1/{a}/{b=x/*/y}/{c=z/**}", "/v1/{a}/{b=x/*/y}/{c=z/**}", &["a", "b+", "c+"]);
    check("/products:batchGet", "/products:batchGet", &[]);
    check("/**:do", "/**:do", &[]);
    check("/{a}/{a.b}", "/{a}/{a.b}", &["a", "a.b"]);
}

#[test]
fn prints_literals_as_a_path_must_encode_them() {
    check("/%61b", "/ab", &[]);
    check("/caf\u{e9}/a b", "/caf%C3%A9/a%20b", &[]);
    check("/a%2fb/%3A%2a", "/a%2Fb/%3A%2A", &[]);
    check("/a;x=1,2/!$&'()+@~-._/=", "/a;x=1,2/!$&'()+@~-._/=", &[]);
    check("/%7Bid%7D/%3F%23", "/%7Bid%7D/%3F%23", &[]);
    check("/x:caf%c3%a9%2F", "/x:caf%C3%A9%2F", &[]);
    check("/a%25b", "/a%25b", &[]);
    check("/x:..", "/x:..", &[]);
    check("/...", "/...", &[]);
}

#[track_caller]
fn refuse(text: &str, position: usize, fault: Fault) {
    assert_eq!(
        Template::parse(text),
        Err(TemplateError { template: text.into(), position, fault }),
        "{text}"
    );
}

#[test]
fn says_where_and_what_is_wrong() {
    refuse("", 1, Fault::NoLeadingSlash);
    refuse("v1/x", 1, Fault::NoLeadingSlash);
    refuse("/", 2, Fault::EmptySegment);
    refuse("/:verb", 2, Fault::EmptySegment);
    refuse("/a//b", 4, Fault::EmptySegment);
    refuse("/a/", 4, Fault::EmptySegment);
    refuse("/a/:v", 4, Fault::EmptySegment);
    refuse("/{a=}", 5, Fault::EmptySegment);
    refuse("/{a=b/}", 7, Fault::EmptySegment);
    refuse("/{a=/b}", 5, Fault::EmptySegment);
    refuse("/**/a", 4, Fault::RestNotLast);
    refuse("/{a=**}/b", 8, Fault::RestNotLast);
    refuse("/{a=**/b}", 7, Fault::RestNotLast);
    refuse("/a/{x=b/**}/{y}", 12, Fault::RestNotLast);
    refuse("/***", 4, Fault::MixedWildcard);
    refuse("/a*", 3, Fault::MixedWildcard);
    refuse("/*a", 3, Fault::MixedWildcard);
    refuse("/{a}*", 5, Fault::MixedWildcard);
    refuse("/a:b*", 5, Fault::MixedWildcard);
    refuse("/{a}b", 5, Fault::MixedVariable);
    refuse("/a{b}", 3, Fault::MixedVariable);
    refuse("/{a}{b}", 5, Fault::MixedVariable);
    refuse("/*{b}", 3, Fault::MixedVariable);
    refuse("/a:b{c}", 5, Fault::MixedVariable);
    refuse("/}", 2, Fault::StrayBrace);
    refuse("/a}", 3, Fault::StrayBrace);
    refuse("/{a}}", 5, Fault::StrayBrace);
    refuse("/a:b}", 5, Fault::StrayBrace);
    refuse("/x/{a", 4, Fault::Unclosed);
    refuse("/x/{a=b", 4, Fault::Unclosed);
    refuse("/{a={b}}", 5, Fault::NestedVariable);
    refuse("/{a=b/{c}}", 7, Fault::NestedVariable);
    for field in
        ["", ".", "a.", ".a", "a..b", "1a", "a.2", "a-b", "a b", "\u{e9}", "a/b", "*", "a:b"]
    {
        refuse(&format!("/{{{field}}}"), 3, Fault::FieldPath);
    }
    refuse("/\u{e9}/{=*}", 5, Fault::FieldPath);
    refuse("/{a}/x/{a}", 9, Fault::Duplicate("a".into()));
    refuse("/a:b/c", 5, Fault::VerbNotLast);
    refuse("/a:b:c", 5, Fault::VerbNotLast);
    refuse("/{a=b:c}", 6, Fault::VerbNotLast);
    refuse("/a:", 4, Fault::EmptyVerb);
    refuse("/a::b", 4, Fault::EmptyVerb);
    refuse("/a?b=c", 3, Fault::EndsPath('?'));
    refuse("/\u{e9}#b", 3, Fault::EndsPath('#'));
    refuse("/a%zz", 2, Fault::Undecodable(Undecodable::Triplet));
    refuse("/a:%2", 4, Fault::Undecodable(Undecodable::Triplet));
    refuse("/%c0%af", 2, Fault::Undecodable(Undecodable::Utf8));
    for literal in
        [".", "..", "%2e", "..;x", "%2E%2e%3bx", "a%2F..", "a\\b", "%5C", "a%00", "\t", "..%3Ax"]
    {
        refuse(&format!("/x/{literal}/y"), 4, Fault::NeverMatches);
    }
    refuse(&"/a".repeat(65), 130, Fault::TooLong);
    assert!(Template::parse(&"/a".repeat(64)).is_ok());
}

#[test]
fn writes_a_mistake_in_one_line() {
    let message = Template::parse("/a//b").unwrap_err().to_string();
    assert_eq!(
        message,
        "character 4 of `/a//b`: a segment is empty; write a literal, `*`, `**` or a variable"
    );
}
