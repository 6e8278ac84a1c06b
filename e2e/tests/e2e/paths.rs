//! Paths that mean one thing to one reader and another to the next are refused before anything is looked up.

mod any_shop {
    use crate::raw::ask;
    use crate::stand::any_shop;

    #[tokio::test]
    async fn an_ambiguous_path_is_a_bad_request() {
        let shop = any_shop().await;
        for path in [
            "/api/products/../users",
            "/api/products/..",
            "/api/products/.",
            "/./api/products",
            "/api/products/%2e%2e/users",
            "/api/products/%2E./users",
            "/api/products/.%2e",
            "/api/products/..;x=1/users",
            "/api/products/..%2Fusers",
            "/api/products/..%5Cusers",
            "//api/products",
            "/api//products",
            "/api\\products",
            "/api%5Cproducts",
            "/api/products/%00",
            "/api/products/p-1%0d%0aX-Evil:%201",
            "/api/products/%",
            "/api/products/%4",
            "/api/products/%zz",
            "/api/products/%u0041",
        ] {
            let answer = ask(&shop, &format!("GET {path} HTTP/1.1"), &[]).await;
            assert_eq!(answer.statuses, [400], "{path}: {}", answer.text);
            // hyper itself refuses what is no request target at all, without a problem body.
            if answer.text.contains("content-type") {
                assert!(
                    answer.text.contains("application/problem+json"),
                    "{path}: {}",
                    answer.text
                );
                assert!(answer.text.contains("INVALID_ARGUMENT"), "{path}: {}", answer.text);
            }
        }
    }

    #[tokio::test]
    async fn a_good_path_in_the_same_way_is_answered() {
        let shop = any_shop().await;
        for path in [
            "/api/products",
            "/api/products/p-1",
            "/api/products/p%2D1",
            "/api/products?pageSize=1",
            "/api/products?",
        ] {
            let answer = ask(&shop, &format!("GET {path} HTTP/1.1"), &[]).await;
            assert_eq!(answer.statuses, [200], "{path}: {}", answer.text);
        }
    }

    #[tokio::test]
    async fn a_query_never_widens_a_route() {
        let shop = any_shop().await;
        for path in [
            "/api/users?/api/products",
            "/api/users?next=/api/products",
            "/api/users;/api/products",
            "/api/users%3f/api/products",
        ] {
            let answer = ask(&shop, &format!("GET {path} HTTP/1.1"), &[]).await;
            assert!(
                matches!(answer.statuses.as_slice(), [400 | 401 | 404]),
                "{path}: {}",
                answer.text
            );
        }
    }
}
