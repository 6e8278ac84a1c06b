//! An answer that is read while it comes.

use http::HeaderMap;

use super::ask::Ask;
use super::{Reply, soon};

/// An answer whose body is still coming.
pub(crate) struct Open {
    /// The HTTP status.
    pub(crate) status: u16,
    /// All headers.
    pub(crate) headers: HeaderMap,
    response: reqwest::Response,
    read: Vec<u8>,
}

impl Ask {
    /// Waits for the head only.
    pub(crate) async fn open(self) -> Open {
        let response = soon("the head of an answer", self.request.send()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Open { status, headers, response, read: Vec::new() }
    }
}

impl Open {
    /// Reads until the body holds this text behind what was read before, and returns all up to there.
    pub(crate) async fn up_to(&mut self, text: &str) -> String {
        loop {
            let read = String::from_utf8_lossy(&self.read).into_owned();
            if let Some(at) = read.find(text) {
                self.read.drain(..at + text.len());
                return read[..at + text.len()].to_owned();
            }
            let piece = soon(text, self.response.chunk()).await.unwrap();
            let piece = piece.unwrap_or_else(|| panic!("ended before `{text}`: {read}"));
            self.read.extend_from_slice(&piece);
        }
    }

    /// How many bytes the next piece has; `None` at a clean end.
    pub(crate) async fn piece(&mut self) -> Option<usize> {
        soon("a piece of a body", self.response.chunk()).await.unwrap().map(|piece| piece.len())
    }

    /// Reads what is left, and whether the body ends as it should.
    pub(crate) async fn rest(mut self) -> (String, bool) {
        let clean = loop {
            match soon("the end of a body", self.response.chunk()).await {
                Ok(Some(piece)) => self.read.extend_from_slice(&piece),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        (String::from_utf8(self.read).unwrap(), clean)
    }

    /// The id of the exchange.
    pub(crate) fn request_id(&self) -> String {
        let (status, headers) = (self.status, self.headers.clone());
        Reply { status, headers, body: Vec::new() }.request_id().to_owned()
    }
}
