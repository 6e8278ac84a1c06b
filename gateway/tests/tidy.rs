//! The rules of the house that no compiler checks. Each failure says which rule it is.
#![expect(clippy::unwrap_used, reason = "a broken checkout should fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The modules of `gateway/src` from the ground up. A module may name only what stands on lower floors; on the first
/// floor each may also name those before it.
const FLOORS: [(u8, &[&str]); 10] = [
    (1, &["context", "setting", "message"]),
    (2, &ROOMS),
    (3, &["upstream"]),
    (4, &["error", "config"]),
    (5, &["call", "target"]),
    (6, &["pipeline"]),
    (7, &["compile"]),
    (8, &["server", "steps"]),
    (9, &["admin"]),
    (10, &["main", "lib", "cli"]),
];

/// One room for each responsibility; two of them share a chapter.
const ROOMS: [&str; 9] = [
    "routing",
    "authentication",
    "authorization",
    "rate_limiting",
    "load_balancing",
    "resilience",
    "aggregation",
    "transcoding",
    "monitoring",
];

/// The only rooms that the upstream call is made of.
const OF_UPSTREAM: [&str; 2] = ["load_balancing", "resilience"];

/// Rooms that the schema configures, and no section.
const WITHOUT_SECTION: [&str; 1] = ["routing"];

const TOP_LEVEL: [&str; 10] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "docker-compose.yml",
    "e2e",
    "gateway",
    "proto",
    "services",
];

fn chapter(room: &str) -> &'static str {
    match room {
        "routing" => "01-routing.md",
        "authentication" => "02-authentication.md",
        "authorization" => "03-authorization.md",
        "rate_limiting" => "04-rate-limiting.md",
        "load_balancing" | "resilience" => "05-load-balancing.md",
        "aggregation" => "06-aggregation.md",
        "transcoding" => "07-transcoding.md",
        "monitoring" => "08-monitoring.md",
        _ => panic!("{room} is no room"),
    }
}

#[test]
fn a_module_names_only_what_stands_below_it() {
    let src = gateway().join("src");
    for file in files(&src, "rs") {
        let path = file.strip_prefix(&src).unwrap();
        let module = module_of(path);
        let (own, _) = floor(&module);
        for named in named_modules(path, &read(&file)) {
            assert!(
                named == module || may_name(&module, &named),
                "{}: `{module}` stands on floor {own} and may not name `{named}` of floor {}: \
                 a module names only what stands below it",
                path.display(),
                floor(&named).0,
            );
        }
    }
}

fn may_name(module: &str, named: &str) -> bool {
    let (own, its) = (floor(module), floor(named));
    match module {
        "upstream" => its.0 == 1 || OF_UPSTREAM.contains(&named),
        _ if own.0 == 1 => its < own,
        _ => its.0 < own.0,
    }
}

/// The floor of a module, and its place there.
fn floor(module: &str) -> (u8, usize) {
    FLOORS
        .iter()
        .find_map(|(floor, modules)| {
            Some((*floor, modules.iter().position(|known| *known == module)?))
        })
        .unwrap_or_else(|| panic!("`{module}` has no floor: every module of gateway/src has one"))
}

fn module_of(path: &Path) -> String {
    path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The modules at the root of the crate that a file names, by `crate::` or by enough `super::`.
fn named_modules(path: &Path, text: &str) -> BTreeSet<String> {
    // How many `super` lead from the file to the root of the crate.
    let below = path.iter().count() - usize::from(path.ends_with("mod.rs"));
    let (outside, tests) = split_tests(text);
    let mut named = BTreeSet::new();
    for (depth, text) in [(below, outside), (below + 1, tests)] {
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let root = "super::".repeat(depth);
        for way in ["crate::", &root] {
            for (at, _) in code.match_indices(way) {
                let before = code[..at].chars().next_back().unwrap_or(' ');
                if !before.is_alphanumeric() && before != '_' && before != ':' {
                    named.extend(first_names(&code[at + way.len()..]));
                }
            }
        }
    }
    named.remove("main");
    named
}

/// The first name of a path, or of each path in braces.
fn first_names(rest: &str) -> Vec<String> {
    let Some(list) = rest.strip_prefix('{') else { return vec![identifier(rest)] };
    let mut names = Vec::new();
    let (mut depth, mut begins) = (0, true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && depth == 0 && !c.is_whitespace() => {
                names.push(identifier(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The unit tests within a file stand last.
fn split_tests(text: &str) -> (&str, &str) {
    text.find("#[cfg(test)]\nmod tests {").map_or((text, ""), |at| text.split_at(at))
}

#[test]
fn each_room_has_its_chapter_its_section_and_its_end_to_end_file() {
    let config = read(&gateway().join("src/config/mod.rs"));
    let written = read(&gateway().join("gateway.yaml"));
    for room in rooms() {
        let chapter = chapter(room);
        let text = fs::read_to_string(gateway().join("docs").join(chapter))
            .unwrap_or_else(|_| panic!("the room {room} has no chapter: gateway/docs/{chapter}"));
        assert!(
            text.contains(&format!("](../src/{room}/")),
            "gateway/docs/{chapter} does not link to its room, ../src/{room}/"
        );
        let head = read(&gateway().join("src").join(room).join("mod.rs"));
        assert!(
            head.lines()
                .take_while(|line| line.starts_with("//!"))
                .any(|line| line.contains(&format!("docs/{chapter}"))),
            "gateway/src/{room}/mod.rs does not name its chapter, docs/{chapter}"
        );
        let end_to_end = format!("e2e/tests/e2e/{room}.rs");
        assert!(
            root().join(&end_to_end).exists(),
            "the room {room} has no end-to-end file: {end_to_end}"
        );
        if WITHOUT_SECTION.contains(&room) {
            continue;
        }
        assert!(
            config.contains(&format!("pub(crate) {room}: {room}::Config,")),
            "the room {room} has no section in gateway/src/config/mod.rs"
        );
        assert!(
            written.lines().any(|line| line.starts_with(&format!("{room}:"))),
            "the room {room} has no section in gateway/gateway.yaml"
        );
    }
}

/// The rooms that exist.
fn rooms() -> Vec<&'static str> {
    ROOMS.into_iter().filter(|room| gateway().join("src").join(room).exists()).collect()
}

#[test]
fn every_key_of_the_configuration_has_a_test() {
    let files = files(&gateway().join("tests/it/settings"), "rs");
    let settings: String = files.iter().map(|file| read(file)).collect();
    let tests: Vec<&str> =
        settings.lines().filter_map(|line| line.strip_prefix("async fn ")).collect();
    let written: Value = serde_saphyr::from_str(&read(&gateway().join("gateway.yaml"))).unwrap();
    for (section, content) in written.as_object().unwrap() {
        // Under `upstreams` the keys are names; what counts is in each of them.
        let entries: Vec<&Value> = match section.as_str() {
            "upstreams" => content.as_object().unwrap().values().collect(),
            _ => vec![content],
        };
        for (key, value) in entries.into_iter().flat_map(|entry| entry.as_object().unwrap()) {
            assert!(
                tests
                    .iter()
                    .any(|test| test.contains(section.as_str()) && test.contains(key.as_str())),
                "no test of gateway/tests/it/settings/ is named for {section}.{key}: every key of gateway.yaml has one"
            );
            for inner in value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .flat_map(|inner| inner.keys())
            {
                assert!(
                    settings.contains(inner.as_str()),
                    "gateway/tests/it/settings/ does not name {section}.{key}.{inner}: every key of gateway.yaml has a test"
                );
            }
        }
    }
}

#[test]
fn no_link_of_the_book_is_dead() {
    let mut pages = files(&gateway().join("docs"), "md");
    pages.push(root().join("README.md"));
    for page in pages {
        let text = read(&page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: the link to {link} is dead", page.display());
            if !heading.is_empty() && target.extension().is_some_and(|extension| extension == "md")
            {
                let known: Vec<String> = headings(&read(&target));
                assert!(
                    known.iter().any(|known| known == heading),
                    "{}: the link to {link} is dead: there is no such heading among {known:?}",
                    page.display()
                );
            }
        }
    }
}

/// The headings of a page as links name them.
fn headings(text: &str) -> Vec<String> {
    let slug = |title: &str| {
        let kept = title
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .collect::<String>();
        kept.replace(' ', "-")
    };
    let titles = text.lines().filter(|line| line.starts_with('#'));
    titles.map(|line| slug(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn a_dynamic_message_is_for_tests_alone() {
    let word = "DynamicMessage";
    for file in files(&gateway().join("src"), "rs") {
        if is_test(&file) {
            continue;
        }
        let text = read(&file);
        let code = split_tests(&text).0.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(
                !line.contains(word),
                "{}: `{word}` may be named by tests only: {line}",
                file.display()
            );
        }
    }
}

#[test]
fn the_gateway_does_not_know_the_shop() {
    let manifest = read(&gateway().join("Cargo.toml"));
    let normal = manifest.split("\n[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for shop in ["proto", "user", "product", "order", "payment", "service-kit", "e2e"] {
        assert!(
            !normal.lines().any(|line| line.split(['.', ' ', '=']).next() == Some(shop)),
            "the gateway depends on `{shop}`: it knows the services by their descriptors alone"
        );
    }
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    for file in sources() {
        let lines = read(&file).lines().count();
        assert!(
            lines <= 500,
            "{} has {lines} lines and may have 500: split it by concept",
            file.display()
        );
    }
    for life in ["pipeline.rs", "call.rs"] {
        let lines = read(&gateway().join("src").join(life)).lines().count();
        assert!(lines <= 150, "gateway/src/{life} has {lines} lines and may have 150");
    }
    let mut lengths: Vec<usize> =
        files(&gateway().join("src"), "rs").iter().map(|file| read(file).lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 150, "the median file of gateway/src has {median} lines and may have 150");
}

#[test]
fn a_name_says_what_a_thing_is() {
    for file in sources() {
        for part in file.strip_prefix(root()).unwrap() {
            let name = part.to_str().unwrap().trim_end_matches(".rs");
            assert!(
                !["util", "utils", "helper", "helpers", "common", "manager", "types", "misc"]
                    .contains(&name),
                "{}: `{name}` says nothing about what is in it",
                file.display()
            );
        }
    }
    for file in files(&gateway().join("src"), "rs") {
        let text = read(&file);
        assert!(
            !text.contains("fn get_"),
            "{}: `get_` says nothing in front of a name",
            file.display()
        );
        assert!(
            !text.to_lowercase().contains(concat!("down", "stream")),
            "{}: the word means opposite things to different people: say client or upstream",
            file.display()
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    let texts =
        ["rs", "md", "yaml", "yml", "toml", "proto"].map(|extension| files(root(), extension));
    for file in texts.into_iter().flatten() {
        let text = read(&file);
        for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[", "ignore")] {
            assert!(
                !text.contains(word),
                "{}: `{word}` leaves something for later",
                file.display()
            );
        }
    }
}

#[test]
fn the_top_level_is_what_the_design_says() {
    let visible: Vec<String> = entries(root())
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    assert_eq!(
        visible, TOP_LEVEL,
        "what stands at the top level is fixed: everything else has its place below"
    );
}

fn root() -> &'static Path {
    gateway().parent().unwrap()
}

fn gateway() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file of the repository.
fn sources() -> Vec<PathBuf> {
    files(root(), "rs")
}

/// Whether a whole file is tests.
fn is_test(file: &Path) -> bool {
    file.ends_with("tests.rs")
        || file.iter().any(|part| part == "tests") && file.starts_with(gateway().join("src"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(path);
        }
    }
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}
