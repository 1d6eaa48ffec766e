// Package statuslist tells whoever verifies access tokens alone which of them are no longer good: Token Status List
// (draft-ietf-oauth-status-list), with one bit for each family and for each client that acts for itself. Sections are those of draft 18.
//
// # Places
//
// The store gives families numbers in order, and marks those that ended before their time ([storage.Statuses]). Number n is in list
// (n-1) / [Size], so lists fill up one after the other and there are no more of them than there is to tell. Its place in the list is found by
// a permutation under a key of its own ([Places]): two tokens say by their indexes neither which came first nor how many lie between. An
// access token carries list and index in its claim status; issue puts it there.
//
// # Freshness
//
// What is revoked is refused within a minute by whoever asks no more often than a list tells it to:
//
//	5 s    marks are read again for a list that is asked for, if those at hand are older
//	15 s   and if the store cannot be read, older ones than these are not told; a shared cache may hold a list until they would be
//	45 s   ttl: how long a resource server may go on with a list once it has it
//
// The last two make the minute. s-maxage is what is left of the second and max-age what is left of the third, so a cache in between does not
// add to it. exp is ten minutes: nobody who is kept from us believes an old list for longer than it would believe an access token of the
// default lifetime. A list that does not change is signed anew after half of that, or when a key of the ring changes its state; until then it
// is the same bytes with the same ETag.
//
// # What it costs
//
// A list is 16 KiB before it is compressed, and some 300 bytes after while nothing in it is marked. Lists are made one at a time, when they are asked
// for; the last few hundred are kept. They name nobody and hold nothing but bits.
//
// Routes: the lists, and their aggregation (section 9), which the metadata names as status_list_aggregation_endpoint.
package statuslist
