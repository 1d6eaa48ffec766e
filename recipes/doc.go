// Package recipes knows how to connect apps that many people run: what Grafana, Nextcloud or kube-apiserver want to be registered as, and what
// has to be written into their own configuration for it.
//
// A recipe is data, one YAML file of this folder, and its file's name is its own. It says what an operator has to give, which is the app's URL
// and perhaps parameters, and holds two kinds of templates: the fields of the client, under the names of [clients.Fields], and the blocks of
// text that the app reads. In a template, <name> stands for a value:
//
//	url                     the app's URL, without a slash at its end
//	url_host, url_escaped   the same without its scheme, and as it stands in the query of another URL
//	a parameter's name      what the operator gave, or its default
//
// and, in what the app reads, what is known only once the client is registered:
//
//	issuer, discovery       the issuer, and the URL of its metadata
//	authorization_endpoint, token_endpoint, userinfo_endpoint, end_session_endpoint
//	client_id, client_secret
//
// Nothing is escaped, since each place would need it in another way. Instead no value can hold a character that means something in any of
// them: see [Recipe.Register].
//
// What a recipe says was read in the app's documentation or its source. What depends on the app's version is said in its notes. A new recipe is
// one file; the tests find it there, and tell what it lacks.
package recipes
