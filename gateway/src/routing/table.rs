//! All routes, and the one for a request.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;

use super::Error;
use super::method::{Allow, MethodPattern};
use super::route::Route;
use super::trie::{Leaf, Node, Search};

/// All routes, indexed by their segments.
///
/// **Which route wins.** Templates that match the same path are compared segment by segment from the left: a literal
/// goes before `*`, `*` before `**`, and a template that ends before one that goes on with `**`. What is equal to the
/// end is told apart by the verb: with one goes before without. The first that takes the method wins, so a less specific
/// template with the right method goes before a 405.
///
/// **Verbs.** What follows the last `:` of the last segment is a verb where a template with the same segments has that
/// verb, for whatever method; everywhere else it belongs to the value, as in `/books/urn:isbn:1`. `%3A` is always data.
///
/// **Methods.** A route's own method goes before `*`. HEAD is answered by GET where it has no route. OPTIONS without a
/// route is answered by [`Found::Options`].
///
/// **Segments.** They are split before they are decoded and compared decoded, by case. No template matches an empty one:
/// a path with `//` or with a slash at its end is not found, not even by `**`, so that a resource has one spelling.
/// `/` has no segment at all, and only `/**` matches it.
///
/// **Cost.** One hash lookup for each segment and reading of it; templates that share the path's literals but have `*`
/// in different places cost one more node each. It does not depend on how many other routes there are.
#[derive(Debug)]
pub(crate) struct RouteTable<T> {
    root: Node<T>,
}

/// Two routes that nothing tells apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{method} {first}` and `{method} {second}` both match `{example}`; change or remove one of them"
)]
pub(crate) struct Conflict {
    /// The method both take.
    pub(crate) method: MethodPattern,
    /// The template of the one that was there.
    pub(crate) first: Arc<str>,
    /// The template of the one that came later.
    pub(crate) second: Arc<str>,
    /// Their places among the routes the table was to be made of, counted from 0.
    pub(crate) positions: (usize, usize),
    /// A request that both match, such as `GET /api/users/x`.
    pub(crate) example: String,
}

/// What a request leads to.
#[derive(Debug)]
pub(crate) enum Found<'t, 'p, T> {
    /// A route.
    Route(Match<'t, 'p, T>),
    /// No route of its own, but the path exists and OPTIONS asks what it takes: 204 (RFC 9110, section 9.3.7).
    Options {
        /// What the path takes, for the `Allow` header.
        allow: Allow,
    },
}

/// A route, and what the path says about the request.
#[derive(Debug)]
pub(crate) struct Match<'t, 'p, T> {
    /// The route.
    pub(crate) route: &'t Route<T>,
    /// The decoded value of each variable, in the order of the template's variables.
    pub(crate) values: Vec<Cow<'p, str>>,
}

impl<T> RouteTable<T> {
    /// Indexes the routes; their order is of no consequence.
    ///
    /// Fails with all conflicts: routes of the same method whose templates differ in nothing but the names of variables.
    pub(crate) fn new(routes: impl IntoIterator<Item = Route<T>>) -> Result<Self, Vec<Conflict>> {
        let mut root = Node::new();
        let mut conflicts = Vec::new();
        for (position, route) in routes.into_iter().enumerate() {
            if let Err((first, second)) = root.insert(Leaf { route, position }) {
                conflicts.push(Conflict::between(first, &second));
            }
        }
        if conflicts.is_empty() { Ok(Self { root }) } else { Err(conflicts) }
    }

    /// Finds the route of a request by its method and its path as it was sent, without the query.
    pub(crate) fn find<'t, 'p>(
        &'t self,
        method: &Method,
        path: &'p str,
    ) -> Result<Found<'t, 'p, T>, Error> {
        self.find_counting(method, path).0
    }

    /// Finds the route, and says how many nodes that took.
    pub(super) fn find_counting<'t, 'p>(
        &'t self,
        method: &Method,
        path: &'p str,
    ) -> (Result<Found<'t, 'p, T>, Error>, usize) {
        let Some(segments) = path.strip_prefix('/') else {
            return (Err(Error::NotFound), 0);
        };
        if !segments.is_empty() && segments.split('/').any(str::is_empty) {
            return (Err(Error::NotFound), 0);
        }
        let mut search = Search::new(method, segments);
        let result = match search.run(&self.root, segments) {
            Some(Leaf { route, .. }) => {
                route.template.capture(path).map(|values| Found::Route(Match { route, values }))
            }
            None if search.refused.is_empty() => Err(Error::NotFound),
            None => {
                let allow = Allow::of(search.refused.iter().copied());
                if *method == Method::OPTIONS {
                    Ok(Found::Options { allow })
                } else {
                    Err(Error::MethodNotAllowed { allow })
                }
            }
        };
        (result, search.visited)
    }
}

impl Conflict {
    fn between<T>(first: &Leaf<T>, second: &Leaf<T>) -> Self {
        let template = &second.route.template;
        let method = second.route.method.clone();
        let example_method = match &method {
            MethodPattern::Any => Method::GET.to_string(),
            MethodPattern::Only(method) => method.to_string(),
        };
        Self {
            method,
            first: first.route.template.text(),
            second: template.text(),
            positions: (first.position, second.position),
            example: format!("{example_method} {}", template.example()),
        }
    }
}
