// Package assertion reads what other issuers say of who somebody is: JWTs of RFC 7523 section 2.1, from the issuers that the operator
// trusts. A cluster says so of its workloads, a forge of its jobs, a company's provider of its people. Whoever holds such an assertion
// needs no secret of ours.
//
// [Reader.Read] believes an assertion when all of this holds (RFC 7523 section 3, RFC 8725):
//
//   - It is signed with an algorithm and a key of the issuer that it names; see [signet/provider/jwt] for what its header may not have.
//   - It is for us alone. Were there another audience, that one could use it here.
//   - It ends, soon enough, and its time has come. Clocks may differ by half a minute.
//   - It has a jti where the operator lets it be used once. Who grants something for it spends the jti, when all else is known to be good.
//   - One of the issuer's rules fits its sub. The first that does decides; a rule leads to a client, which then acts for itself, or to a
//     user. None: it is refused, so a new namespace of a cluster gets nothing by itself.
//
// What is wrong before the signature is verified is said in general words, what comes after it precisely: who got that far holds an
// assertion that is really the issuer's.
//
// [Declaration] is what the operator writes of an issuer.
package assertion
