// Sends the response to the client at once. Without script, the page's button does.
document.forms[0].submit();
