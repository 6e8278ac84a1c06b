//! The services an order needs, and how they are asked: as the caller, within the caller's time, once.
//!
//! A request is never repeated here. Who called us repeats it with its key, and the sweep repeats what was left undone.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use service_kit::Caller;
use tokio::time::{Instant, timeout_at};
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use crate::life::Refusal;

/// How long one call may take, also when its caller would wait longer.
const ONE_CALL: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(1);
/// A peer that is silent for so long is asked whether it is still there; streams have no deadline.
const KEEPALIVE: Duration = Duration::from_secs(5);
const LONGEST_REASON: usize = 64;
/// Bytes of the ids that are passed on; an answer's details travel in a header of limited size.
const LONGEST_IDS: usize = 2000;

/// Where a service is: one address, or several separated by commas.
#[derive(Clone, Debug)]
pub struct Addresses(Vec<Endpoint>);

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(|address| endpoint(address.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn endpoint(address: &str) -> Result<Endpoint, String> {
    let url =
        if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let bad = || format!("{address:?} is not an address: write http://127.0.0.1:50052");
    let endpoint = Endpoint::from_shared(url).map_err(|_| bad())?;
    let is_plain =
        endpoint.uri().scheme_str() == Some("http") && matches!(endpoint.uri().path(), "" | "/");
    if !is_plain || endpoint.uri().port().is_none() {
        return Err(bad());
    }
    Ok(endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true))
}

/// Another service. It is connected to when it is first asked, and again whenever the connection was lost.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    channels: Arc<[Channel]>,
    turn: Arc<AtomicUsize>,
}

impl Peer {
    pub(crate) fn at(addresses: &Addresses) -> Self {
        Self {
            channels: addresses.0.iter().map(Endpoint::connect_lazy).collect(),
            turn: Arc::default(),
        }
    }

    /// The next of its addresses; none only when there are none.
    pub(crate) fn channel(&self) -> Result<Channel, Status> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.channels.len().max(1);
        self.channels.get(turn).cloned().ok_or_else(|| Status::unavailable("no address is known"))
    }
}

/// Asks a peer on behalf of the caller.
pub(crate) async fn ask<Q, A, F>(
    caller: &Caller,
    question: Q,
    send: impl FnOnce(Request<Q>) -> F + Send,
) -> Result<A, Status>
where
    F: Future<Output = Result<Response<A>, Status>> + Send,
{
    let caller = caller.clone().hurry(ONE_CALL);
    let mut request = Request::new(question);
    caller.pass_on(&mut request);
    let deadline = caller.deadline().unwrap_or_else(|| Instant::now() + ONE_CALL);
    let answer = timeout_at(deadline, send(request)).await;
    answer.map_err(|_| Status::deadline_exceeded("no answer in time"))?.map(Response::into_inner)
}

/// Whether the answer is a refusal that would be the same if asked again. Otherwise it is not certain what was done.
pub(crate) fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::FailedPrecondition | Code::InvalidArgument | Code::NotFound | Code::OutOfRange
    )
}

/// What an answer's `google.rpc.ErrorInfo` says, if it is something to write down.
pub(crate) fn refusal(status: &Status) -> Option<Refusal> {
    let details = status.get_error_details();
    let info = details.error_info()?;
    let fits = |text: &String, most| !text.is_empty() && text.len() <= most;
    let reason = Some(info.reason.clone()).filter(|reason| fits(reason, LONGEST_REASON))?;
    let short = info.metadata.get("product_ids").or_else(|| info.metadata.get("productIds"));
    Some(Refusal { reason, short: short.filter(|ids| fits(ids, LONGEST_IDS)).cloned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_address_or_several() {
        for (text, expected) in [
            ("http://127.0.0.1:50052", Some(1)),
            ("127.0.0.1:50052, http://[::1]:50062", Some(2)),
            ("product:50052", Some(1)),
            ("", None),
            ("http://127.0.0.1:50052,", None),
            ("127.0.0.1", None),
            ("https://127.0.0.1:50052", None),
            ("http://127.0.0.1:50052/path", None),
            ("http://127.0.0.1:port", None),
        ] {
            assert_eq!(
                text.parse::<Addresses>().ok().map(|addresses| addresses.0.len()),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn only_what_would_be_refused_again_is_a_refusal() {
        for code in (0..=16).map(Code::from_i32) {
            let certain = ["InvalidArgument", "NotFound", "FailedPrecondition", "OutOfRange"];
            let name = format!("{code:?}");
            assert_eq!(
                is_refusal(&Status::new(code, "no")),
                certain.contains(&name.as_str()),
                "{name}"
            );
        }
    }
}
