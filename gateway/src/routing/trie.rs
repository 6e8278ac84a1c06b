//! The tree of templates, a level for each segment, and the search of a path in it.

use std::borrow::Cow;
use std::collections::HashMap;

use http::Method;

use super::method::MethodPattern;
use super::percent::{self, Slash};
use super::route::Route;
use super::template::Segment;

/// What the templates have in common up to here, and how they go on.
#[derive(Debug)]
pub(super) struct Node<T> {
    literals: HashMap<Box<str>, Self>,
    single: Option<Box<Self>>,
    /// The templates that end here.
    end: Terminal<T>,
    /// The templates that end here with `**`.
    rest: Terminal<T>,
}

/// The templates with the same segments.
#[derive(Debug)]
struct Terminal<T> {
    plain: Vec<Leaf<T>>,
    verbs: HashMap<Box<str>, Vec<Leaf<T>>>,
}

/// A route, and its place among those the table was made of.
#[derive(Debug)]
pub(super) struct Leaf<T> {
    pub(super) route: Route<T>,
    pub(super) position: usize,
}

impl<T> Node<T> {
    pub(super) fn new() -> Self {
        let terminal = || Terminal { plain: Vec::new(), verbs: HashMap::new() };
        Self { literals: HashMap::new(), single: None, end: terminal(), rest: terminal() }
    }

    /// Puts a route in its place; when one of equal rank is there already, both come back.
    pub(super) fn insert(&mut self, leaf: Leaf<T>) -> Result<(), (&Leaf<T>, Leaf<T>)> {
        let mut node = self;
        let mut open = false;
        for segment in leaf.route.template.segments() {
            node = match segment {
                Segment::Literal(text) => {
                    node.literals.entry(text.clone()).or_insert_with(Self::new)
                }
                Segment::Single => node.single.get_or_insert_with(|| Box::new(Self::new())),
                Segment::Rest => {
                    open = true;
                    node
                }
            };
        }
        let terminal = if open { &mut node.rest } else { &mut node.end };
        let leaves = match leaf.route.template.verb() {
            Some(verb) => terminal.verbs.entry(verb.into()).or_default(),
            None => &mut terminal.plain,
        };
        if let Some(index) = leaves.iter().position(|other| other.route.method == leaf.route.method)
        {
            return Err((&leaves[index], leaf));
        }
        leaves.push(leaf);
        Ok(())
    }

    fn literal(&self, segment: &str) -> Option<&Self> {
        if self.literals.is_empty() {
            return None;
        }
        let text = percent::decode(segment, Slash::Decoded).ok()?;
        self.literals.get(&*text)
    }
}

/// The search for the route of one request: depth first, the most specific child first, back where none takes it.
///
/// Only one way leads to a node, so none is visited twice, however templates and path are made: a search costs at most
/// the nodes whose literals the path shares, and goes no deeper than the longest template.
pub(super) struct Search<'t, 'q> {
    method: &'q Method,
    /// What stands behind the last colon of the last segment, decoded.
    verb: Option<Cow<'q, str>>,
    /// The methods of the templates that match the path but do not take the method.
    pub(super) refused: Vec<&'t Method>,
    /// How many nodes were looked at.
    pub(super) visited: usize,
}

impl<'t, 'q> Search<'t, 'q> {
    pub(super) fn new(method: &'q Method, segments: &'q str) -> Self {
        let last = segments.rsplit_once('/').map_or(segments, |(_, last)| last);
        let verb = last
            .rsplit_once(':')
            .filter(|(value, _)| !value.is_empty() || last.len() == segments.len());
        let verb = verb.and_then(|(_, verb)| percent::decode(verb, Slash::Decoded).ok());
        Self { method, verb, refused: Vec::new(), visited: 0 }
    }

    /// Finds the route of a path that is split into `segments` by slashes, none of them empty.
    pub(super) fn run<T>(&mut self, root: &'t Node<T>, segments: &'q str) -> Option<&'t Leaf<T>> {
        if segments.is_empty() {
            self.visited += 1;
            return self.either(&root.rest);
        }
        self.descend(root, segments)
    }

    fn descend<T>(&mut self, node: &'t Node<T>, segments: &'q str) -> Option<&'t Leaf<T>> {
        self.visited += 1;
        let found = match segments.split_once('/') {
            Some((segment, after)) => node
                .literal(segment)
                .and_then(|child| self.descend(child, after))
                .or_else(|| self.descend(node.single.as_deref()?, after)),
            None => self.last(node, segments),
        };
        found.or_else(|| self.either(&node.rest))
    }

    /// The last segment has two readings, with the verb cut off and whole.
    fn last<T>(&mut self, node: &'t Node<T>, segment: &str) -> Option<&'t Leaf<T>> {
        let cut = segment.rsplit_once(':').filter(|_| self.verb.is_some()).map(|(value, _)| value);
        let cut_child = cut.and_then(|value| node.literal(value));
        let whole_child = node.literal(segment);
        let single = node.single.as_deref();
        self.visited += usize::from(cut_child.is_some()) + usize::from(whole_child.is_some());
        self.verb_of(cut_child.map(|child| &child.end))
            .or_else(|| self.plain_of(whole_child.map(|child| &child.end)))
            .or_else(|| self.verb_of(cut_child.map(|child| &child.rest)))
            .or_else(|| self.plain_of(whole_child.map(|child| &child.rest)))
            .or_else(|| {
                let child = single?;
                self.visited += 1;
                if cut.is_some_and(str::is_empty) {
                    return self
                        .plain_of(Some(&child.end))
                        .or_else(|| self.plain_of(Some(&child.rest)));
                }
                self.either(&child.end).or_else(|| self.either(&child.rest))
            })
    }

    /// Where the verb is registered, the colon is its delimiter, whatever the method; elsewhere it belongs to the value.
    fn either<T>(&mut self, terminal: &'t Terminal<T>) -> Option<&'t Leaf<T>> {
        match self.verb.as_deref().and_then(|verb| terminal.verbs.get(verb)) {
            Some(leaves) => self.ask(leaves),
            None => self.ask(&terminal.plain),
        }
    }

    fn verb_of<T>(&mut self, terminal: Option<&'t Terminal<T>>) -> Option<&'t Leaf<T>> {
        let leaves = terminal?.verbs.get(self.verb.as_deref()?)?;
        self.ask(leaves)
    }

    fn plain_of<T>(&mut self, terminal: Option<&'t Terminal<T>>) -> Option<&'t Leaf<T>> {
        self.ask(&terminal?.plain)
    }

    /// The leaf that takes the method: its own, for HEAD that of GET, then the one for every method.
    fn ask<T>(&mut self, leaves: &'t [Leaf<T>]) -> Option<&'t Leaf<T>> {
        let only = |wanted: &Method| {
            leaves.iter().find(|leaf| matches!(&leaf.route.method, MethodPattern::Only(method) if method == wanted))
        };
        let found = only(self.method)
            .or_else(|| if *self.method == Method::HEAD { only(&Method::GET) } else { None })
            .or_else(|| leaves.iter().find(|leaf| leaf.route.method == MethodPattern::Any));
        if found.is_none() {
            for leaf in leaves {
                if let MethodPattern::Only(method) = &leaf.route.method
                    && !self.refused.contains(&method)
                {
                    self.refused.push(method);
                }
            }
        }
        found
    }
}
