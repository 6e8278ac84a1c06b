//! What the README and the book tell people to paste works as pasted, and answers what they say it answers.
//!
//! A block that begins with ```` ```sh ```` is such a text. It needs nothing but `$GATEWAY`, and in the book what the
//! book's own first page sets. A block of `json` that follows shows the answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::bed::Bed;

use crate::stand::setup;

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The kind of a block and its text.
type Block = (String, String);

fn blocks(page: &Path) -> Vec<Block> {
    let text =
        std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            let body: Vec<&str> =
                lines.by_ref().take_while(|line| line.trim_start() != "```").collect();
            blocks.push((kind.trim().to_owned(), body.join("\n")));
        }
    }
    blocks
}

fn to_paste(page: &Path) -> Vec<String> {
    blocks(page).into_iter().filter(|(kind, _)| kind == "sh").map(|(_, text)| text).collect()
}

/// Pastes texts into one shell, one after the other, and answers what it prints. A line that fails ends it.
fn paste(bed: &Bed, texts: &[String]) -> Result<String, String> {
    let script = format!("set -eu\n{}", texts.join("\n"));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).env("GATEWAY", bed.ports().base()).current_dir(TOP);
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// What a shown answer says that must be so on every machine: the words of problems.
fn lasting_words(shown: &str) -> Vec<String> {
    let mut words = Vec::new();
    for key in ["code", "reason", "title", "detail"] {
        let start = format!("\"{key}\":\"");
        for (at, _) in shown.match_indices(&start) {
            let value = &shown[at + start.len()..];
            let end = value
                .char_indices()
                .find(|(at, letter)| *letter == '"' && !value[..*at].ends_with('\\'));
            let value = &value[..end.map_or(value.len(), |(at, _)| at)];
            if !value.contains('…') {
                words.push(format!("{start}{value}\""));
            }
        }
    }
    words
}

fn pages() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(Path::new(TOP).join("gateway/docs")).unwrap();
    let mut pages: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

#[tokio::test]
async fn the_lines_of_the_readme_buy_something() {
    let bed = setup().start().await;
    let texts = to_paste(&Path::new(TOP).join("README.md"));
    let said = paste(&bed, &texts).unwrap();
    for word in [
        "ada@example.com",
        "\"id\":\"p-1\"",
        "PAYMENT_STATUS_CAPTURED",
        "ORDER_STATUS_CONFIRMED",
        "event: end",
    ] {
        assert!(said.contains(word), "{word} is missing: {said}");
    }
}

/// The README's own service: its contract, its configuration and the table it shows. The contract is compiled as the
/// README says, with this repository's `proto/` as the second place to look for imports.
#[test]
fn the_service_of_the_readme_is_exposed_as_it_says() {
    let page = Path::new(TOP).join("README.md");
    let blocks = blocks(&page);
    let of = |kind: &str| {
        let mut found = blocks.iter().filter(|(of, _)| of == kind).map(|(_, text)| text.as_str());
        let text = found.next().unwrap_or_else(|| panic!("the README has no block of {kind}"));
        assert_eq!(found.next(), None, "one block of {kind}");
        text
    };
    let folder = std::env::temp_dir().join(format!("readme-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("library.proto"), of("proto")).unwrap();
    std::fs::write(folder.join("gateway.yaml"), of("yaml")).unwrap();
    let contracts = Path::new(TOP).join("proto");
    let mut compiler = protox::Compiler::new([&folder, &contracts]).unwrap();
    compiler.include_imports(true).open_file("library.proto").unwrap();
    std::fs::write(folder.join("library.binpb"), compiler.encode_file_descriptor_set()).unwrap();

    let mut gateway = Command::new(env!("CARGO_BIN_EXE_demo"));
    gateway.args(["part", "gateway", "--config", "gateway.yaml", "--check"]).current_dir(&folder);
    let output = gateway.output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complaint}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (line, shown) = of("console").split_once('\n').unwrap();
    assert!(line.ends_with("/gateway --config gateway.yaml --check"), "{line}");
    let trimmed = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&printed), trimmed(shown));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn the_lines_of_every_page_of_the_book_answer_what_it_says() {
    let bed = setup().start().await;
    let first = to_paste(&Path::new(TOP).join("gateway/docs/README.md"));
    assert!(!first.is_empty(), "the book's first page says how to sign in");
    let (mut wrong, mut pasted) = (Vec::new(), 0);
    for page in pages() {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        let blocks = blocks(&page);
        let mut texts = first.clone();
        for (number, (kind, text)) in blocks.iter().enumerate() {
            if kind != "sh" {
                continue;
            }
            pasted += 1;
            let before = paste(&bed, &texts).unwrap_or_default();
            texts.push(text.clone());
            let said = match paste(&bed, &texts) {
                Ok(said) => said.strip_prefix(before.as_str()).unwrap_or(&said).to_owned(),
                Err(said) => {
                    wrong.push(format!("{name}: this fails:\n{text}\n{said}"));
                    break;
                }
            };
            let shown = blocks
                .get(number + 1)
                .filter(|(kind, _)| kind == "json")
                .map_or("", |(_, shown)| shown);
            for word in lasting_words(shown).into_iter().filter(|word| !said.contains(word)) {
                wrong.push(format!("{name}: no answer has {word}:\n{text}\n{said}"));
            }
        }
    }
    assert!(pasted > 0, "the book has lines to paste");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn words_that_last_are_told_from_ids_and_cuts() {
    let shown = r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"there is no \"x\"","code":"NOT_FOUND","requestId":"01…"} {"reason":"A…"}"#;
    assert_eq!(
        lasting_words(shown),
        [r#""code":"NOT_FOUND""#, r#""title":"Not Found""#, r#""detail":"there is no \"x\"""#]
    );
}
