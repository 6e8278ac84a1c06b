//! The steps that stand between a client and a call, without the sockets on either side: for benchmarks.
//!
//! `pipeline` and `call` take them for requests. Here each is taken alone, so that what it costs is not lost in what a
//! request costs.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::authentication::Authenticator;
use crate::authorization::Rule;
use crate::call::introduce;
use crate::compile::{Memory, compile};
use crate::config::Config;
use crate::context::{Counted, Principal, Standing};
use crate::rate_limiting::Limits;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The steps before one RPC.
#[derive(Debug)]
pub struct Steps {
    authenticator: Authenticator,
    limits: Arc<Limits>,
    rule: Arc<Rule>,
}

/// Who was found to be asking.
#[derive(Debug)]
pub struct Client(Principal);

impl Steps {
    /// The steps before `package.Service/Method` by the text of a configuration, with its variables and what its paths
    /// start at. Needs a runtime. Fails with everything that is wrong.
    pub fn of(
        rpc: &str,
        config: &str,
        folder: PathBuf,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let compiled = Config::parse(config, folder, variable)
            .and_then(|config| compile(&config, &mut Memory::default()));
        let pipeline = compiled.map_err(|problems| format!("{problems:?}"))?.pipeline;
        let target = pipeline.targets.methods.get(&format!("/{rpc}"));
        let target = target.ok_or_else(|| format!("{rpc} is not exposed"))?;
        let (limits, rule) = (Arc::clone(&target.limits), Arc::clone(&target.access));
        Ok(Self { authenticator: pipeline.authenticator, limits, rule })
    }

    /// Proves a credential, and writes down what the service is told of it.
    pub async fn prove(
        &self,
        headers: &HeaderMap,
        metadata: &mut HeaderMap,
    ) -> Result<Client, String> {
        let principal = self.authenticator.authenticate(headers).await;
        let principal = principal.map_err(|error| error.to_string())?;
        introduce(&principal, metadata);
        Ok(Client(principal))
    }

    /// Counts a request, and writes down what the client is told of its limits.
    pub async fn count(&self, client: &Client, answer: &mut HeaderMap) -> Result<(), String> {
        let counted = self.limits.before(HERE);
        let mut all: Counted = counted.map_err(|error| error.to_string())?;
        let counted = self.limits.after(&client.0, HERE).await;
        all.add(counted.map_err(|error| error.to_string())?);
        answer.extend(all.tightest.iter().flat_map(Standing::headers));
        Ok(())
    }

    /// Decides by the principal, by the request and by the answer, one after the other.
    pub fn decide(&self, client: &Client, request: &Bytes, answer: &Bytes) -> Result<(), String> {
        let permit = self.rule.admit(&client.0).map_err(|denied| denied.to_string())?;
        let rest = self.rule.allow(permit, &client.0, request);
        match rest.map_err(|denied| denied.to_string())? {
            Some(rest) => rest.allow_answer(answer).map_err(|denied| denied.to_string()),
            None => Ok(()),
        }
    }
}
