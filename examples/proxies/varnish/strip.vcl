# router.layer(RootPathLayer::new("/api/v1"))
# varnishd -a :9999 -f $PWD/strip.vcl
vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "8000";
}

sub vcl_recv {
    if (req.url !~ "^/api/v1([/?]|$)") {
        return (synth(404));
    }
    set req.url = regsub(req.url, "^/api/v1/?", "/");
}
