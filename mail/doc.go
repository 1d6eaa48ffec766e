// Package mail sends e-mail to users through the operator's mail server: one message to one person, over a connection of its own
// (RFC 5321, RFC 6409). What a message says is [signet/web]'s to write; when one is sent is for the rooms above.
//
// The protocol is go-mail's. What is ours is what makes it safe to run beside sign-ins:
//
//   - One short time for all of it, from the look-up of the name to the last answer, and a bound on what the server may say.
//   - STARTTLS is asked for or refused, never tried: somebody on the way could take it out of the server's answer (RFC 3207 section 6). Nothing
//     is sent in the clear but to this machine.
//   - Only the recipient is of outside, and it is held to the form of a single address before it stands in a header or a command.
//   - The log has a message's id and why it was not taken, in words of ours and the server's codes; what the server says in full may repeat the
//     address and is for whoever asked alone: see [Error].
package mail
