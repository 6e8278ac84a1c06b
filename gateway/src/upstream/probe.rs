//! Asks an endpoint how it is (grpc.health.v1), now and then and whenever there is doubt.

use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::time;
use tonic::Code;

use super::{Method, Peer};
use crate::context::{Failure, Reply};
use crate::load_balancing::{Answer, HealthCheck};

/// How soon it is asked again when there is doubt: a connection broke, or there was no answer.
const DOUBT: Duration = Duration::from_millis(200);

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct Question {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: i32 = 1;

/// Asks for as long as somebody holds the peer. The first question also opens the connection for calls.
pub(super) async fn watch(peer: Weak<Peer>, settings: HealthCheck) {
    let interval = settings.interval.duration();
    let (mut doubted, mut missed) = (true, false);
    loop {
        let Some(this) = peer.upgrade() else { return };
        let mut silent = false;
        if doubted || this.endpoint().wants_check() {
            let answer = ask(&this, &settings).await;
            silent = answer == Answer::Silence;
            this.endpoint().checked(answer);
        }
        this.set_tried();
        let trouble = this.trouble();
        drop(this);
        time::sleep(DOUBT.min(interval)).await;
        // Once more soon, to know whether an answer was lost or everything is; then at the usual pace.
        doubted = silent && !missed;
        missed = silent;
        if !doubted {
            // Not all gateways and not all endpoints at the same moment.
            let pause = interval.mul_f64(0.8 + 0.4 * fastrand::f64()).saturating_sub(DOUBT);
            doubted = time::timeout(pause, trouble.notified()).await.is_ok();
        }
    }
}

async fn ask(peer: &Peer, settings: &HealthCheck) -> Answer {
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    let method = Method { path, streams: false };
    let question = Question { service: settings.service.clone() };
    let asked = peer.send(&method, Bytes::from(question.encode_to_vec()), HeaderMap::new());
    match time::timeout(settings.timeout.duration(), asked).await {
        Ok(Ok(Reply::Message { message, .. })) => match Status::decode(message) {
            Ok(Status { status: SERVING }) => Answer::Serving,
            _ => Answer::NotServing,
        },
        Ok(Err(Failure::Status(status))) => match status.code() {
            Code::Unimplemented => Answer::Unimplemented,
            Code::NotFound => Answer::NotServing,
            // It is there, and something is wrong with it or with the question.
            _ => Answer::Silence,
        },
        Ok(Ok(Reply::Stream { .. }) | Err(_)) | Err(_) => Answer::Silence,
    }
}
