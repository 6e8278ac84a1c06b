//! Reads the `google.api.http` option of a method (google/api/http.proto).

use prost_reflect::{MethodDescriptor, ReflectMessage, Value};

/// One way to reach an RPC over REST, as the descriptor states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpRule {
    /// The HTTP method in upper case, or a custom kind as written; `*` is any.
    pub(crate) method: String,
    /// The path template.
    pub(crate) template: String,
    /// What the body holds: nothing (empty), everything (`*`) or one field.
    pub(crate) body: String,
    /// Which field of the answer is the body; empty for the whole.
    pub(crate) response_body: String,
}

/// A rule says nothing of method and path.
pub(super) const NO_PATTERN: &str =
    "it has no pattern: write one of get, put, post, delete, patch or custom";

/// Additional bindings within additional bindings (http.proto, `additional_bindings`).
pub(super) const NESTED: &str =
    "an additional binding can't hold others: write them all beside each other, in the rule itself";

/// The rules of a method: its own and its additional bindings, one level deep (http.proto, `additional_bindings`).
///
/// Fails with one sentence for each that is not one.
pub(crate) fn http_rules(method: &MethodDescriptor) -> Result<Vec<HttpRule>, Vec<&'static str>> {
    let Some(extension) = method.parent_pool().get_extension_by_name("google.api.http") else {
        return Ok(Vec::new());
    };
    let options = method.options();
    if !options.has_extension(&extension) {
        return Ok(Vec::new());
    }
    let option = options.get_extension(&extension);
    let additional = field(&option, "additional_bindings");
    let additional = additional.as_ref().and_then(Value::as_list).unwrap_or_default();
    let nested = additional.iter().any(|binding| field(binding, "additional_bindings").is_some());
    let mut mistakes: Vec<&str> = nested.then_some(NESTED).into_iter().collect();
    let mut rules = Vec::new();
    for binding in std::iter::once(&*option).chain(additional) {
        match rule(binding) {
            Some(rule) => rules.push(rule),
            None => mistakes.push(NO_PATTERN),
        }
    }
    if mistakes.is_empty() { Ok(rules) } else { Err(mistakes) }
}

fn rule(option: &Value) -> Option<HttpRule> {
    let (method, template) = ["get", "put", "post", "delete", "patch"]
        .iter()
        .find_map(|kind| text(option, kind).map(|template| (kind.to_uppercase(), template)))
        .or_else(|| {
            let custom = field(option, "custom")?;
            Some((text(&custom, "kind")?, text(&custom, "path")?))
        })?;
    let body = text(option, "body").unwrap_or_default();
    let response_body = text(option, "response_body").unwrap_or_default();
    Some(HttpRule { method, template, body, response_body })
}

/// A field that is set.
fn field(message: &Value, name: &str) -> Option<Value> {
    let message = message.as_message()?;
    let descriptor = message.descriptor().get_field_by_name(name)?;
    message.has_field(&descriptor).then(|| message.get_field(&descriptor).into_owned())
}

fn text(message: &Value, name: &str) -> Option<String> {
    field(message, name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    fn rules(rpc: &str) -> Vec<String> {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let (service, method) = rpc.split_once('/').unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let method = service.methods().find(|candidate| candidate.name() == method).unwrap();
        let line = |rule: &HttpRule| {
            format!(
                "{} {} body={} response={}",
                rule.method, rule.template, rule.body, rule.response_body
            )
        };
        http_rules(&method).unwrap().iter().map(line).collect()
    }

    #[test]
    fn reads_the_method_the_template_and_the_body() {
        assert_eq!(
            rules("user.v1.UserService/UpdateUser"),
            ["PATCH /api/users/{user.id} body=user response="]
        );
        assert_eq!(
            rules("order.v1.OrderService/CreateOrder"),
            ["POST /api/orders body=* response="]
        );
    }

    #[test]
    fn reads_additional_bindings() {
        let expected =
            ["GET /api/users/{user_id}/orders body= response=", "GET /api/orders body= response="];
        assert_eq!(rules("order.v1.OrderService/ListOrders"), expected);
    }

    #[test]
    fn a_method_without_a_rule_has_none() {
        assert_eq!(rules("product.v1.StockService/SellStock"), [""; 0]);
    }
}
