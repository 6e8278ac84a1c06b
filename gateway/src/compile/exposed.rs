//! The table of what is exposed.

use std::iter;

/// One line of the table of what is exposed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exposed {
    /// Method and template, or the path of the RPC for gRPC.
    pub(crate) route: String,
    /// The RPC it leads to.
    pub(crate) rpc: String,
    /// Who may call it, as written.
    pub(crate) access: String,
    /// Who decides that, and on what; and what is special about the route.
    pub(crate) decides: String,
}

impl Exposed {
    /// The table with its titles: columns are as wide as the longest that stands in them, and never narrow.
    pub(crate) fn table(exposed: &[Self]) -> impl Iterator<Item = String> {
        let cells =
            exposed.iter().map(|line| [&*line.route, &*line.rpc, &*line.access, &*line.decides]);
        let lines = iter::once(["ROUTE", "RPC", "ACCESS", "DECIDED BY"]).chain(cells);
        let [route, rpc, access, _] = lines.clone().fold([48, 44, 16, 0], |widest, cells| {
            let mut cells = cells.into_iter().map(|cell| cell.chars().count());
            widest.map(|width| width.max(cells.next().unwrap_or(0)))
        });
        lines.map(move |[its_route, its_rpc, its_access, decides]| {
            format!("{its_route:<route$} {its_rpc:<rpc$} {its_access:<access$} {decides}")
        })
    }
}
