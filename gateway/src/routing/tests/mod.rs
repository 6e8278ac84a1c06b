mod cost;
mod laws;

use http::Method;

use super::*;

/// Reads `GET /a/{b}`.
fn route(text: &str) -> Route<String> {
    let (method, template) = text.split_once(' ').unwrap();
    let method = method.parse().unwrap();
    Route { method, template: Template::parse(template).unwrap(), target: text.to_owned() }
}

fn table(routes: &[&str]) -> RouteTable<String> {
    RouteTable::new(routes.iter().map(|text| route(text))).unwrap()
}

/// What a request leads to, in words: the route with its captures, or the failure.
fn outcome(table: &RouteTable<String>, request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    match table.find(&method.parse::<Method>().unwrap(), path) {
        Ok(Found::Route(found)) => {
            let variables = found.route.template.variables().iter().zip(&found.values);
            let captures: Vec<String> = variables
                .map(|(variable, value)| format!(" {}={value}", variable.field_path()))
                .collect();
            format!("{}{}", found.route.target, captures.concat())
        }
        Ok(Found::Options { allow }) => format!("204 {allow}"),
        Err(Error::NotFound) => "404".to_owned(),
        Err(Error::MethodNotAllowed { allow }) => format!("405 {allow}"),
        Err(Error::BadCapture { field, source: Undecodable::Triplet }) => {
            format!("400 {field} triplet")
        }
        Err(Error::BadCapture { field, source: Undecodable::Utf8 }) => format!("400 {field} utf8"),
    }
}

/// Checks each request against each order of the routes that rotation gives.
#[track_caller]
fn check(routes: &[&str], requests: &[(&str, &str)]) {
    let mut routes = routes.to_vec();
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        let table = table(&routes);
        for (request, expected) in requests {
            assert_eq!(outcome(&table, request), *expected, "{request} among {routes:?}");
        }
    }
}

#[test]
fn finds_the_routes_of_the_shop() {
    check(
        &[
            "POST /api/users",
            "GET /api/users",
            "GET /api/users/{id}",
            "PATCH /api/users/{user.id}",
            "DELETE /api/users/{id}",
            "GET /api/users/{user_id}/orders",
            "GET /api/users/{id}/dashboard",
            "GET /api/products",
            "GET /api/products:batchGet",
            "GET /api/products/{id}",
            "POST /api/products/{id}:adjustStock",
            "GET /api/orders/{id}",
            "GET /api/orders/{id}:watch",
            "POST /api/orders/{id}:cancel",
        ],
        &[
            ("GET /api/users", "GET /api/users"),
            ("GET /api/users/123", "GET /api/users/{id} id=123"),
            ("PATCH /api/users/123", "PATCH /api/users/{user.id} user.id=123"),
            ("GET /api/users/123/orders", "GET /api/users/{user_id}/orders user_id=123"),
            ("GET /api/users/123/dashboard", "GET /api/users/{id}/dashboard id=123"),
            ("GET /api/products:batchGet", "GET /api/products:batchGet"),
            ("GET /api/products:watch", "404"),
            ("POST /api/products/p-1:adjustStock", "POST /api/products/{id}:adjustStock id=p-1"),
            ("GET /api/orders/1:watch", "GET /api/orders/{id}:watch id=1"),
            ("GET /api/orders/urn:isbn:1", "GET /api/orders/{id} id=urn:isbn:1"),
            ("POST /api/orders/urn:isbn:1:cancel", "POST /api/orders/{id}:cancel id=urn:isbn:1"),
            ("GET /api/orders/1:cancel", "405 OPTIONS, POST"),
            ("DELETE /api/orders/1:watch", "405 GET, HEAD, OPTIONS"),
            ("PUT /api/users/123", "405 DELETE, GET, HEAD, OPTIONS, PATCH"),
            ("OPTIONS /api/users/123", "204 DELETE, GET, HEAD, OPTIONS, PATCH"),
            ("OPTIONS /api/nothing", "404"),
            ("GET /api", "404"),
            ("GET /", "404"),
            ("GET /API/users", "404"),
            ("GET /api/users/123/orders/1", "404"),
        ],
    );
}

#[test]
fn takes_the_most_specific_template() {
    check(
        &[
            "GET /a/b",
            "GET /a/*",
            "GET /a/**",
            "GET /**",
            "GET /a/{x}/c",
            "GET /a/b/{y}",
            "GET /*/b/c",
        ],
        &[
            ("GET /a/b", "GET /a/b"),
            ("GET /a/x", "GET /a/*"),
            ("GET /a", "GET /a/**"),
            ("GET /a/x/y", "GET /a/**"),
            ("GET /a/b/c", "GET /a/b/{y} y=c"),
            ("GET /a/x/c", "GET /a/{x}/c x=x"),
            ("GET /z/b/c", "GET /*/b/c"),
            ("GET /z", "GET /**"),
            ("GET /", "GET /**"),
        ],
    );
}

#[test]
fn turns_back_where_a_specific_template_leads_nowhere() {
    check(
        &["GET /a/b/c", "GET /a/{x}/d", "GET /{y}/b/e", "GET /{y=**}"],
        &[
            ("GET /a/b/c", "GET /a/b/c"),
            ("GET /a/b/d", "GET /a/{x}/d x=b"),
            ("GET /a/b/e", "GET /{y}/b/e y=a"),
            ("GET /a/b/f", "GET /{y=**} y=a/b/f"),
        ],
    );
}

#[test]
fn cuts_a_verb_off_only_where_it_is_registered() {
    check(
        &[
            "GET /a/{x}:v",
            "GET /a/{x}",
            "GET /b/{x}",
            "GET /c/{x}:v",
            "GET /c/**",
            "GET /d/**:v",
            "GET /d/**",
            "GET /**:v",
        ],
        &[
            ("GET /a/1:v", "GET /a/{x}:v x=1"),
            ("GET /a/1:v:v", "GET /a/{x}:v x=1:v"),
            ("GET /a/1:w", "GET /a/{x} x=1:w"),
            ("GET /a/1%3Av", "GET /a/{x} x=1:v"),
            ("GET /a/1:%76", "GET /a/{x}:v x=1"),
            ("GET /a/:v", "GET /a/{x} x=:v"),
            ("GET /a/1:", "GET /a/{x} x=1:"),
            ("GET /a:v/1", "404"),
            ("GET /b/1:v", "GET /b/{x} x=1:v"),
            ("GET /c/1:v", "GET /c/{x}:v x=1"),
            ("GET /c/1/2:v", "GET /c/**"),
            ("GET /d:v", "GET /d/**:v"),
            ("GET /d/1/2:v", "GET /d/**:v"),
            ("GET /d/1/:v", "GET /d/**"),
            ("GET /d/1/2", "GET /d/**"),
            ("GET /e:v", "GET /**:v"),
            ("GET /:v", "GET /**:v"),
            ("GET /", "404"),
            ("GET /e:w", "404"),
        ],
    );
    check(
        &[
            "GET /a/b:v",
            "GET /a/b%3Av",
            "GET /a/{x}:v",
            "GET /c%3Av",
            "GET /c/**:v",
            "GET /{x}:v",
            "POST /d/{x}:v",
            "GET /d/**",
        ],
        &[
            ("GET /a/b:v", "GET /a/b:v"),
            ("GET /a/b%3Av", "GET /a/b%3Av"),
            ("GET /a/c:v", "GET /a/{x}:v x=c"),
            ("GET /c:v", "GET /c%3Av"),
            ("GET /c/1:v", "GET /c/**:v"),
            ("GET /:v", "404"),
            ("GET /d/1:v", "GET /d/**"),
        ],
    );
}

#[test]
fn finds_nothing_by_an_empty_segment() {
    check(
        &["GET /a/{x}", "GET /a/**", "GET /{y=**}", "GET /a/**:v", "GET /a"],
        &[
            ("GET /a/", "404"),
            ("GET /a//", "404"),
            ("GET //", "404"),
            ("GET //a", "404"),
            ("GET /a//b", "404"),
            ("GET /a/b/", "404"),
            ("GET a", "404"),
            ("GET *", "404"),
            ("GET /", "GET /{y=**} y="),
        ],
    );
    let table = table(&[]);
    assert_eq!(outcome(&table, "GET /"), "404");
    assert!(matches!(table.find(&Method::GET, ""), Err(Error::NotFound)));
}

#[test]
fn compares_literals_decoded_and_after_the_split() {
    check(
        &["GET /caf\u{e9}/a%2Fb", "GET /x/{id}/y", "GET /x/a/b/y", "GET /x/*"],
        &[
            ("GET /caf%C3%A9/a%2fb", "GET /caf\u{e9}/a%2Fb"),
            ("GET /%63af%c3%a9/%61%2Fb", "GET /caf\u{e9}/a%2Fb"),
            ("GET /caf%C3%A9/a/b", "404"),
            ("GET /%78/a%2Fb/y", "GET /x/{id}/y id=a/b"),
            ("GET /x/a/b/y", "GET /x/a/b/y"),
            ("GET /x%2Fa", "404"),
            ("GET /x/%ff", "GET /x/*"),
            ("GET /%zz/y", "404"),
        ],
    );
}

#[test]
fn decodes_captures_by_the_rule_of_their_variable() {
    check(
        &[
            "GET /a/{x}",
            "GET /b/{x=**}",
            "GET /c/{x=y/*}/{z}",
            "GET /d/{x=y}/{z=**}:v",
            "GET /e/{x=p%2Fq/*}",
        ],
        &[
            ("GET /a/a%2Fb%20c%2525", "GET /a/{x} x=a/b c%25"),
            ("GET /a/a+b", "GET /a/{x} x=a+b"),
            ("GET /b/a%2Fb%20c/d%2fe%3A", "GET /b/{x=**} x=a%2Fb c/d%2fe:"),
            ("GET /b/a%2Fb", "GET /b/{x=**} x=a%2Fb"),
            ("GET /b", "GET /b/{x=**} x="),
            ("GET /c/%79/1%2F2/3%2F4", "GET /c/{x=y/*}/{z} x=y/1%2F2 z=3/4"),
            ("GET /d/y/1/2:v", "GET /d/{x=y}/{z=**}:v x=y z=1/2"),
            ("GET /d/y:v", "GET /d/{x=y}/{z=**}:v x=y z="),
            ("GET /e/p%2fq/1", "GET /e/{x=p%2Fq/*} x=p%2fq/1"),
            ("GET /a/%ff", "400 x utf8"),
            ("GET /a/%c0%ae", "400 x utf8"),
            ("GET /b/1/%", "400 x triplet"),
            ("GET /c/y/1/%zz", "400 z triplet"),
        ],
    );
}

#[test]
fn borrows_what_it_captures() {
    let table = table(&["GET /a/{x}/{y=**}"]);
    let Ok(Found::Route(found)) = table.find(&Method::GET, "/a/1%20/2/3") else {
        panic!("not found")
    };
    assert!(matches!(
        &*found.values,
        [std::borrow::Cow::Owned(_), std::borrow::Cow::Borrowed("2/3")]
    ));
}

#[test]
fn asks_each_template_for_the_method() {
    check(
        &[
            "GET /a",
            "HEAD /a",
            "* /b",
            "POST /b",
            "GET /c",
            "OPTIONS /c",
            "POST /d/e",
            "GET /d/*",
            "PUT /d/**",
            "PATCH /d/f",
        ],
        &[
            ("HEAD /a", "HEAD /a"),
            ("HEAD /c", "GET /c"),
            ("HEAD /b", "* /b"),
            ("OPTIONS /b", "* /b"),
            ("POST /b", "POST /b"),
            ("TRACE /b", "* /b"),
            ("OPTIONS /c", "OPTIONS /c"),
            ("POST /a", "405 GET, HEAD, OPTIONS"),
            ("GET /d/e", "GET /d/*"),
            ("HEAD /d/e", "GET /d/*"),
            ("PUT /d/e", "PUT /d/**"),
            ("DELETE /d/e", "405 GET, HEAD, OPTIONS, POST, PUT"),
            ("OPTIONS /d/f", "204 GET, HEAD, OPTIONS, PATCH, PUT"),
            ("DELETE /d/g/h", "405 OPTIONS, PUT"),
            ("get /a", "405 GET, HEAD, OPTIONS"),
        ],
    );
}

#[test]
fn reports_every_conflict_with_a_request_that_both_match() {
    let routes = [
        "GET /a/{x}",
        "POST /a/{y}",
        "GET /a/*",
        "GET /{n=a/*}",
        "GET /b/caf%C3%A9/{n=**}:do",
        "GET /b/caf\u{e9}/**:d%6F",
        "* /c",
        "* /%63",
        "GET /c",
        "GET /a/**",
        "GET /a/{x}:v",
    ];
    let conflicts = RouteTable::new(routes.map(route)).unwrap_err();
    let messages: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "`GET /a/{x}` and `GET /a/*` both match `GET /a/x`; change or remove one of them",
            "`GET /a/{x}` and `GET /{n=a/*}` both match `GET /a/x`; change or remove one of them",
            "`GET /b/caf%C3%A9/{n=**}:do` and `GET /b/caf%C3%A9/**:do` both match `GET /b/caf%C3%A9/x:do`; change or remove one of them",
            "`* /c` and `* /c` both match `GET /c`; change or remove one of them",
        ]
    );
    let positions: Vec<_> = conflicts.iter().map(|conflict| conflict.positions).collect();
    assert_eq!(positions, [(0, 2), (0, 3), (4, 5), (6, 7)]);
    for conflict in conflicts {
        for position in [conflict.positions.0, conflict.positions.1] {
            let alone = RouteTable::new([route(routes[position])]).unwrap();
            assert!(outcome(&alone, &conflict.example).starts_with(routes[position]), "{conflict}");
        }
    }
}
