//! Compiles the section `authentication`.

use std::sync::Arc;

use super::Memory;
use crate::authentication::{ApiKeys, Authenticator, Clock, KeySet};
use crate::config::{Config, read_file};
use crate::setting::Problem;

/// The largest file of keys that is read, in bytes.
const API_KEYS: u64 = 1024 * 1024;

/// What proves credentials, and the key sets by their issuers.
pub(super) fn compile(
    config: &Config,
    memory: &mut Memory,
    problems: &mut Vec<Problem>,
) -> (Authenticator, Vec<(String, Arc<KeySet>)>) {
    let mut issuers = Vec::new();
    for issuer in config.authentication.read(problems) {
        match memory.key_set(&issuer) {
            Ok(keys) => issuers.push((issuer, keys)),
            Err(error) => {
                let path = format!("authentication.issuers ({})", issuer.name);
                problems.push(Problem::nowhere(path, error.to_string()));
            }
        }
    }
    let key_sets =
        issuers.iter().map(|(issuer, keys)| (issuer.name.clone(), Arc::clone(keys))).collect();
    let authenticator = Authenticator::new(issuers, memory.tokens(), Clock::system())
        .with_api_keys(api_keys(config, problems));
    (authenticator, key_sets)
}

fn api_keys(config: &Config, problems: &mut Vec<Problem>) -> Option<ApiKeys> {
    let written = config.authentication.api_keys.as_ref()?;
    let header = written.header(problems);
    refuse_to_forward(config, problems);
    let file = config.folder.join(&written.file.value);
    let name = file.display();
    let mut complain = |message| {
        problems.push(Problem::at(&written.file, "authentication.api_keys.file", message));
    };
    let text = read_file(&file, API_KEYS)
        .map_err(|error| error.to_string())
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
    match text {
        Ok(text) => match ApiKeys::read(header?, &text) {
            Ok(keys) => return Some(keys),
            Err(mistakes) => {
                for mistake in mistakes {
                    complain(format!("`{name}`, {mistake}"));
                }
            }
        },
        Err(error) => complain(format!("`{name}` can't be read ({error})")),
    }
    None
}

/// A key that is passed on is a key that services, and whoever reads their logs, can use.
fn refuse_to_forward(config: &Config, problems: &mut Vec<Problem>) {
    let Some(written) = &config.authentication.api_keys else { return };
    // Services written in some languages find headers as variables, in which `_` stands for every other sign.
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
    let header = plain(written.header_name());
    for name in &config.transcoding.request_headers {
        if plain(&name.value) == header {
            let message =
                format!("`{}` carries API keys, and they stay at the door: remove it", name.value);
            problems.push(Problem::at(name, "transcoding.request_headers", message));
        }
    }
}
