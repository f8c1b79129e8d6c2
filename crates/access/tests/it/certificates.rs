//! Certificates become principals by the names in them.

use waymark_access::Name;

use crate::world::World;

#[tokio::test]
async fn the_first_mapping_that_fits_tells_whose_a_certificate_is() {
    let file = "certificates:
  - {uri: 'spiffe://prod/ns/waymark/sa/metrics', principal: services/metrics}
  - {uri: 'spiffe://prod/ns/waymark/sa/*', principal: services/waymark/*}
  - {dns: '*.ops.dev', principal: users/ops/somebody}
";
    let world = World::new(file, &[]).await;
    let who =
        |names: &[Name<'_>]| world.authentication.certificate(names).map(|identity| identity.principal.to_string());
    assert_eq!(who(&[Name::Uri("spiffe://prod/ns/waymark/sa/metrics")]).as_deref(), Some("services/metrics"));
    assert_eq!(who(&[Name::Uri("spiffe://prod/ns/waymark/sa/web")]).as_deref(), Some("services/waymark/web"));
    let several = [Name::Dns("a.ops.dev"), Name::Uri("spiffe://prod/ns/waymark/sa/metrics")];
    assert_eq!(who(&several).as_deref(), Some("services/metrics"), "the file decides, not the certificate");
    assert_eq!(who(&[Name::Dns("a.ops.dev")]).as_deref(), Some("users/ops/somebody"));
    for nobody in [
        &[][..],
        &[Name::Dns("ops.dev")],
        &[Name::Uri("spiffe://test/ns/waymark/sa/metrics")],
        &[Name::Dns("spiffe://prod/ns/waymark/sa/metrics")],
    ] {
        assert_eq!(who(nobody), None, "{nobody:?}");
    }
    assert!(world.authentication.ready(), "nothing to wait for");
    let long = format!("spiffe://prod/ns/waymark/sa/{}", "x".repeat(300));
    assert_eq!(who(&[Name::Uri(&long)]), None, "no principal is that long");
}
