package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Hash is a SHA-256. As text it is 64 hexadecimal digits in lower case.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText is for JSON.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

var errHash = errors.New("not a SHA-256 in hexadecimal")

// UnmarshalText takes no other form than MarshalText makes.
func (h *Hash) UnmarshalText(text []byte) error {
	var read Hash
	if n, err := hex.Decode(read[:], text[:min(len(text), 2*len(read))]); err != nil || n != len(read) || read.String() != string(text) {
		return errHash
	}
	*h = read
	return nil
}

// Record is one link of the chain: some entries, and the record that they follow on.
//
// Its hash is the SHA-256 of the text "signet audit record 1", the hash of the record before in hexadecimal, the sequence in decimal, each
// with a line feed after it, and the body as it is. The first record of a chain follows on the zero hash.
type Record struct {
	Sequence uint64 `json:"sequence"` // one more than that of the record before
	Previous Hash   `json:"previous"`
	Hash     Hash   `json:"hash"`
	Body     []byte `json:"body"` // a JSON array of entries, never read and written anew
}

const recordDomain = "signet audit record 1\n"

// Next is the record that follows on a link of the chain, with this body.
func (l Link) Next(body []byte) Record {
	r := Record{Sequence: l.Sequence + 1, Previous: l.Hash, Body: body}
	r.Hash = r.Sum()
	return r
}

// Sum is the hash that a record must have.
func (r Record) Sum() (sum Hash) {
	head := make([]byte, 0, len(recordDomain)+2*sha256.Size+1+20+1)
	head = append(head, recordDomain...)
	head = append(hex.AppendEncode(head, r.Previous[:]), '\n')
	head = append(strconv.AppendUint(head, r.Sequence, 10), '\n')
	h := sha256.New()
	h.Write(head)
	h.Write(r.Body)
	h.Sum(sum[:0])
	return sum
}

// Link is where a chain has come to.
type Link struct {
	Sequence uint64 `json:"sequence"` // 0: there is no record yet
	Hash     Hash   `json:"hash"`
}

// Link is what the next record follows on.
func (r Record) Link() Link { return Link{r.Sequence, r.Hash} }

// maxBody bounds the entries of a record, in bytes, unless one alone is longer: whoever reads a record has it in memory.
const maxBody = 1 << 20

// Bodies encodes entries as the bodies of records, of one mostly. What is not text becomes the replacement character.
func Bodies(entries []Entry) (bodies [][]byte) {
	body := make([]byte, 0, 256*min(len(entries), 4096))
	for _, e := range entries {
		if len(body) > maxBody {
			bodies, body = append(bodies, append(body, ']')), nil
		}
		opening := byte(',')
		if len(body) == 0 {
			opening = '['
		}
		body = appendEntry(append(body, opening), e)
	}
	if len(body) > 0 {
		bodies = append(bodies, append(body, ']'))
	}
	return bodies
}

// appendEntry writes what encoding/json would, in a third of the time: every commit waits for it.
func appendEntry(b []byte, e Entry) []byte {
	if y := e.Time.Year(); y < 0 || y > 9999 { // RFC 3339 has no words for it
		e.Time = time.Time{}
	}
	b = append(e.Time.AppendFormat(append(b, `{"time":"`...), time.RFC3339Nano), `","event":`...)
	b = appendText(b, string(e.Event))
	for _, member := range [...]struct{ name, text string }{
		{`,"trace":`, e.Trace}, {`,"address":`, e.Address}, {`,"actor":`, e.Actor}, {`,"client":`, e.Client}, {`,"user":`, e.User},
		{`,"session":`, e.Session}, {`,"family":`, e.Family}, {`,"detail":`, e.Detail},
	} {
		if member.text != "" {
			b = appendText(append(b, member.name...), member.text)
		}
	}
	return append(b, '}')
}

func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendOddText(b, text)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// appendOddText writes a text in which something has to be escaped, or may be no text at all.
func appendOddText(b []byte, text string) []byte {
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic(err) // a text always encodes
	}
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// Entries are what a record says. Its error is that the body is not what Signet writes.
func (r Record) Entries() (entries []Entry, err error) {
	if err := json.Unmarshal(r.Body, &entries); err != nil {
		return nil, fmt.Errorf("record %d of the audit log cannot be read: %w", r.Sequence, err)
	}
	return entries, nil
}

// Each calls f with each entry of r, until f fails, and returns that error or the one of [Record.Entries].
func (r Record) Each(f func(Entry) error) error {
	entries, err := r.Entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// Time is that of the first entry; zero where there is none.
func (r Record) Time() time.Time {
	dec := json.NewDecoder(bytes.NewReader(r.Body))
	var first struct {
		Time time.Time `json:"time"`
	}
	if open, err := dec.Token(); err != nil || open != json.Delim('[') || !dec.More() || dec.Decode(&first) != nil {
		return time.Time{}
	}
	return first.Time
}

const day = 24 * time.Hour

// Day is the number of the UTC day of an instant, from 1970 on.
func Day(t time.Time) uint32 { return uint32(t.Unix() / int64(day/time.Second)) }

// Segment is the day whose segment a record goes into that was made today, when the one before is in that of the day last. Servers and acts
// of one moment may differ in what day it is, around midnight; that opens no segment for the day before.
func Segment(last, today uint32) uint32 {
	if today == last || today+1 == last {
		return last
	}
	return today
}

// SegmentEnd is the instant at which a segment's day is over. A day that is not to come before tomorrow was written by a wrong clock, and
// counts as that of the segment after it.
func SegmentEnd(segment, following uint32, now time.Time) time.Time {
	if segment > Day(now)+1 {
		segment = following
	}
	return time.Unix((int64(segment)+1)*int64(day/time.Second), 0)
}
