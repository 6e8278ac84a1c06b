//! The picture of a product: its initials on a colour of its own, drawn as SVG.

use proto::product::v1::Product;

/// Draws the product. The same product always looks the same.
pub(crate) fn draw(product: &Product) -> String {
    let hue = hue(&product.id);
    let name = escape(&product.name);
    let initials: String =
        product.name.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    let initials = escape(&initials.to_uppercase());
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300" role="img" aria-label="{name}">
<title>{name}</title>
<rect width="400" height="300" fill="hsl({hue} 55% 42%)"/>
<circle cx="200" cy="130" r="90" fill="hsl({hue} 60% 60%)"/>
<text x="200" y="155" font-family="sans-serif" font-size="72" fill="#fff" text-anchor="middle">{initials}</text>
<text x="200" y="270" font-family="sans-serif" font-size="22" fill="#fff" text-anchor="middle">{name}</text>
</svg>
"##
    )
}

/// A colour from an id, in degrees (FNV-1a).
fn hue(id: &str) -> u64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash % 360
}

/// Text as XML may hold it; what XML can't hold at all becomes a replacement character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push('\u{fffd}'),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(name: &str) -> Product {
        Product { id: "p-1".to_owned(), name: name.to_owned(), ..Product::default() }
    }

    #[test]
    fn a_name_is_text_and_never_markup() {
        let drawn = draw(&product("<script>alert('x')</script> & \"co\"\u{1}"));
        assert!(!drawn.contains("<script") && !drawn.contains('\u{1}'), "{drawn}");
        assert!(
            drawn.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;co&quot;"),
            "{drawn}"
        );
    }

    #[test]
    fn a_product_always_looks_the_same_and_products_differ() {
        assert_eq!(draw(&product("Chess set")), draw(&product("Chess set")));
        assert_ne!(hue("p-1"), hue("p-2"));
    }
}
