package statuslist

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"signet/provider/oauth"
)

// Size is how many bits a list has.
const Size = 1 << (leftBits + rightBits)

// Claim is the claim status of a token: section 6.2.
type Claim struct {
	List Reference `json:"status_list"`
}

// Reference says where the status of a token is found.
type Reference struct {
	Index uint32 `json:"idx"`
	URI   string `json:"uri"` // of the list
}

// MACs is what [Places] needs of [signet/keys.Keys].
type MACs interface {
	// SubjectMAC is HMAC-SHA-256 with a key of the ring that never changes.
	SubjectMAC(data []byte) ([32]byte, error)
}

// Places says where in the lists a number of the store is. A nil *Places has none.
type Places struct {
	keys    MACs
	base    string // of the URI of a list: what comes before its number
	shuffle atomic.Pointer[shuffle]
}

// NewPlaces returns the places of an issuer.
func NewPlaces(issuer string, keys MACs) *Places {
	return &Places{keys: keys, base: strings.TrimSuffix(issuer, "/") + oauth.StatusListsPath + "/"}
}

// Claim returns the claim of a token with this number; nil for 0: the store has not given it one.
func (p *Places) Claim(number uint64) (*Claim, error) {
	if p == nil || number == 0 {
		return nil, nil
	}
	list, index, err := p.of(number)
	if err != nil {
		return nil, err
	}
	return &Claim{Reference{Index: index, URI: p.uri(list)}}, nil
}

// uri names a list.
func (p *Places) uri(list uint64) string { return p.base + strconv.FormatUint(list, 10) }

// of returns the place of a number that is not 0.
func (p *Places) of(number uint64) (list uint64, index uint32, err error) {
	s := p.shuffle.Load()
	if s == nil {
		if s, err = newShuffle(p.keys); err != nil {
			return 0, 0, err
		}
		p.shuffle.Store(s)
	}
	list = (number - 1) / Size
	return list, s.index(list, uint32((number-1)%Size)), nil
}

// shuffle is a permutation of the places of each list: a Feistel network whose halves are of 8 and 9 bits, with AES-256 as its round
// function and the list's number in each block. A round changes one half by what follows from the other, and so can be taken back: that alone
// makes it a permutation. Ten rounds are those of FF1 (NIST SP 800-38G).
type shuffle struct{ block cipher.Block }

const (
	leftBits, rightBits = 8, 9
	leftMask, rightMask = 1<<leftBits - 1, 1<<rightBits - 1
	rounds              = 10
)

// shuffleDomain keeps this key apart from what else is made with the ring's subject key. That one is never rotated: tokens that are out there
// would point to other bits.
const shuffleDomain = "signet status list\x00"

func newShuffle(keys MACs) (*shuffle, error) {
	key, err := keys.SubjectMAC([]byte(shuffleDomain))
	if err != nil {
		return nil, fmt.Errorf("the key of the status lists: %w", err)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("the key of the status lists: %w", err)
	}
	return &shuffle{block}, nil
}

// index returns where in a list a position is.
func (s *shuffle) index(list uint64, position uint32) uint32 {
	left, right := position>>rightBits, position&rightMask
	var b [2 * aes.BlockSize]byte
	in, out := b[:aes.BlockSize], b[aes.BlockSize:]
	binary.BigEndian.PutUint64(in, list)
	for round := range uint32(rounds) {
		other := right
		if round%2 == 1 {
			other = left
		}
		binary.BigEndian.PutUint32(in[8:], round)
		binary.BigEndian.PutUint32(in[12:], other)
		s.block.Encrypt(out, in)
		f := binary.BigEndian.Uint32(out)
		if round%2 == 1 {
			right ^= f & rightMask
		} else {
			left ^= f & leftMask
		}
	}
	return left<<rightBits | right
}
