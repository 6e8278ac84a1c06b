//! A configuration that a test changes before the gateway reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::issuer::Issuer;
use super::schema::kitchen_set;
use super::upstream::Upstream;

/// A `gateway.yaml` with the kitchen in it, every RPC public.
#[derive(Clone)]
pub(crate) struct Config {
    /// What is in `schema.binpb`.
    pub(super) schema: Vec<u8>,
    /// Environment variables of the program.
    pub(super) environment: Vec<(String, String)>,
    sections: BTreeMap<String, String>,
    upstreams: BTreeMap<String, String>,
    access: BTreeMap<String, String>,
    rules: BTreeMap<String, String>,
    ownership_upstream: Vec<String>,
    issuers: Vec<String>,
    /// Other files of the folder.
    pub(super) files: BTreeMap<String, String>,
    api_keys: Option<String>,
}

const PUBLIC: [&str; 19] = [
    "GetDish",
    "ListDishes",
    "CreateDish",
    "ReplaceDish",
    "UpdateDish",
    "DeleteDish",
    "CookDish",
    "GetPhoto",
    "GetChef",
    "ReadFile",
    "ReadBook",
    "CountDishes",
    "Taste",
    "WatchDishes",
    "WatchTags",
    "Download",
    "Print",
    "PrintAll",
    "Whisper",
];

impl Config {
    /// Nothing behind the door yet.
    pub(crate) fn new() -> Self {
        let access = PUBLIC.map(|rpc| (format!("kitchen.v1.Kitchen/{rpc}"), "public".to_owned()));
        let sections = [
            ("schema", "{ file: schema.binpb }"),
            ("listener", "{ address: \"127.0.0.1:0\" }"),
            ("admin", "{ address: \"127.0.0.1:0\" }"),
        ];
        Self {
            schema: kitchen_set().to_vec(),
            environment: Vec::new(),
            sections: sections.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            upstreams: BTreeMap::new(),
            access: access.into(),
            rules: BTreeMap::new(),
            ownership_upstream: Vec::new(),
            issuers: Vec::new(),
            files: BTreeMap::new(),
            api_keys: None,
        }
    }

    /// The kitchen is served there.
    pub(crate) fn kitchen(&mut self, upstream: &Upstream) -> &mut Self {
        self.upstream("kitchen", "kitchen.v1.Kitchen", &[&upstream.url()])
    }

    /// A service and where it is served.
    pub(crate) fn upstream(&mut self, name: &str, service: &str, urls: &[&str]) -> &mut Self {
        let urls = urls.iter().map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", ");
        self.entry(name, &format!("{{ services: [{service}], endpoints: [{urls}] }}"))
    }

    /// An upstream, as it is written.
    pub(crate) fn entry(&mut self, name: &str, text: &str) -> &mut Self {
        self.upstreams.insert(name.to_owned(), text.to_owned());
        self
    }

    /// Who may call an RPC of the kitchen, or one with its full name.
    pub(crate) fn access(&mut self, rpc: &str, access: &str) -> &mut Self {
        let rpc =
            if rpc.contains('/') { rpc.to_owned() } else { format!("kitchen.v1.Kitchen/{rpc}") };
        self.access.insert(rpc, access.to_owned());
        self
    }

    /// A rule that access lines can name; it may hold single quotes.
    pub(crate) fn rule(&mut self, name: &str, expression: &str) -> &mut Self {
        self.rules.insert(name.to_owned(), format!("\"{expression}\""));
        self
    }

    /// The service of this RPC decides whose an object is.
    pub(crate) fn ownership_upstream(&mut self, rpc: &str) -> &mut Self {
        self.ownership_upstream.push(format!("kitchen.v1.Kitchen/{rpc}"));
        self
    }

    /// Another file in the folder of the configuration.
    pub(crate) fn file(&mut self, name: &str, text: &str) -> &mut Self {
        self.files.insert(name.to_owned(), text.to_owned());
        self
    }

    /// Where API keys are.
    pub(crate) fn api_keys(&mut self, setting: &str) -> &mut Self {
        self.api_keys = Some(setting.to_owned());
        self
    }

    /// Whose tokens count.
    pub(crate) fn issuer(&mut self, issuer: &Issuer) -> &mut Self {
        self.issuer_with(issuer, "gateway", "ES256")
    }

    /// Whose tokens count, for another audience or with another algorithm.
    pub(crate) fn issuer_with(
        &mut self,
        issuer: &Issuer,
        audience: &str,
        algorithm: &str,
    ) -> &mut Self {
        let (name, jwks) = (&issuer.name, issuer.url());
        self.issuers.push(format!(
            "{{ issuer: \"{name}\", audience: {audience}, algorithm: {algorithm}, jwks: \"{jwks}\" }}"
        ));
        self
    }

    /// Nobody's tokens count any more.
    pub(crate) fn no_issuers(&mut self) -> &mut Self {
        self.issuers.clear();
        self
    }

    /// A section, or another text for it.
    pub(crate) fn section(&mut self, name: &str, text: &str) -> &mut Self {
        self.sections.insert(name.to_owned(), text.to_owned());
        self
    }

    /// Other services than the kitchen: nothing is exposed but what is said from now on.
    pub(crate) fn schema(&mut self, set: Vec<u8>) -> &mut Self {
        self.schema = set;
        self.access.clear();
        self
    }

    /// Exposes nothing of the kitchen.
    pub(crate) fn hide_kitchen(&mut self) -> &mut Self {
        self.access.clear();
        self
    }

    /// An environment variable of the program.
    pub(crate) fn environment(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The text of the file.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, section) in &self.sections {
            writeln!(text, "{name}: {section}").unwrap();
        }
        let block = |title: &str, lines: &BTreeMap<String, String>| {
            let lines: Vec<String> =
                lines.iter().map(|(name, value)| format!("    {name}: {value}\n")).collect();
            format!("{title}{}\n{}", if lines.is_empty() { " {}" } else { "" }, lines.concat())
        };
        text.push_str(&block("upstreams:", &self.upstreams));
        text.push_str(&block("authorization:\n  access:", &self.access));
        if !self.rules.is_empty() {
            text.push_str(&block("  rules:", &self.rules));
        }
        if !self.ownership_upstream.is_empty() {
            let rpcs = self.ownership_upstream.join(", ");
            writeln!(text, "  ownership_upstream: [{rpcs}]").unwrap();
        }
        let issuers = format!("issuers: [{}]", self.issuers.join(", "));
        let keys = self.api_keys.iter().map(|setting| format!("api_keys: {setting}"));
        let parts: Vec<String> =
            (!self.issuers.is_empty()).then_some(issuers).into_iter().chain(keys).collect();
        if !parts.is_empty() {
            writeln!(text, "authentication: {{ {} }}", parts.join(", ")).unwrap();
        }
        text
    }
}
