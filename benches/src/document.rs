//! An OpenAPI document of a given size, as a generator writes it.

use bytes::Bytes;

/// A document of this many bytes: path items with two operations each. One path item in ten has
/// `servers`, and so has one operation of another.
///
/// The text is written into a buffer that never grows: this takes no more memory than the document.
pub(crate) fn of_size(bytes: usize) -> Bytes {
    const HEAD: &str = r#"{"openapi":"3.1.0","servers":[{"url":"/"}],"paths":{"/":{}"#;
    const INFO: &str = r#"},"info":{"title":"App","version":"1.0.0","description":""#;
    const END: &str = r#""}}"#;
    let mut json = String::with_capacity(bytes);
    json.push_str(HEAD);
    for i in 0.. {
        let path_item = path_item(i);
        if json.len() + path_item.len() + INFO.len() + END.len() > bytes {
            break;
        }
        json.push_str(&path_item);
    }
    json.push_str(INFO);
    let missing = bytes.checked_sub(json.len() + END.len());
    json.extend(
        (0..missing.expect("the size is that of a document without paths, or more")).map(|_| 'x'),
    );
    json.push_str(END);
    Bytes::from(json)
}

fn path_item(i: usize) -> String {
    let servers = |remainder| match i % 10 == remainder {
        true => r#""servers":[{"url":"/v2","description":"Version 2"}],"#,
        false => "",
    };
    let (of_path_item, of_operation) = (servers(0), servers(5));
    format!(
        r##","/resources{i}/{{id}}":{{{of_path_item}"parameters":[{{"name":"id","in":"path","required":true,"schema":{{"type":"integer"}}}}],"get":{{{of_operation}"operationId":"get{i}","summary":"Returns one resource","responses":{{"200":{{"description":"The resource","content":{{"application/json":{{"schema":{{"$ref":"#/components/schemas/Resource{i}"}}}}}}}},"404":{{"description":"There is no such resource"}}}}}},"delete":{{"operationId":"delete{i}","summary":"Deletes one resource","responses":{{"204":{{"description":"Deleted"}}}}}}}}"##
    )
}
