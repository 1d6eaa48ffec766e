package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Why a sealed backup cannot be opened.
var (
	ErrSealed = errors.New("the backup is encrypted")
	ErrKey    = errors.New("the backup was encrypted for another key or passphrase")
)

// Seal encrypts a backup for a recipient with age (age-encryption.org/v1). It returns what the backup is written to, and who can read it back
// without the recipient's key, for as long as this process remembers. Close ends the backup.
func Seal(to io.Writer, recipient age.Recipient) (io.WriteCloser, age.Identity, error) {
	r := &witness{Recipient: recipient}
	w, err := age.Encrypt(to, r)
	if err != nil {
		return nil, nil, err
	}
	return w, age.NewInjectedFileKeyIdentity(r.key), nil
}

// witness keeps the key of the one file.
type witness struct {
	age.Recipient
	key []byte
}

func (w *witness) Wrap(key []byte) ([]*age.Stanza, error) {
	w.key = bytes.Clone(key)
	return w.Recipient.Wrap(key)
}

// WrapWithLabels is what age asks for instead where a recipient may not stand beside others, as a passphrase may not.
func (w *witness) WrapWithLabels(key []byte) ([]*age.Stanza, []string, error) {
	labelled, ok := w.Recipient.(age.RecipientWithLabels)
	if !ok {
		stanzas, err := w.Wrap(key)
		return stanzas, nil, err
	}
	w.key = bytes.Clone(key)
	return labelled.WrapWithLabels(key)
}

const sealedMagic = "age-encryption.org/"

// Unseal returns the backup that is in what is read. One that is not encrypted is returned as it is; otherwise one of the identities must open
// it. Its errors are [ErrSealed] without any, and [ErrKey] with the wrong one; what is read later is [ErrDamaged] or [ErrCutOff] by itself.
func Unseal(from io.Reader, identities ...age.Identity) (io.Reader, error) {
	buffered := bufio.NewReaderSize(from, 1<<16)
	if head, _ := buffered.Peek(len(sealedMagic)); string(head) != sealedMagic {
		return buffered, nil
	}
	if len(identities) == 0 {
		return nil, ErrSealed
	}
	plain, err := age.Decrypt(buffered, identities...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, ErrKey
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return plain, nil
}

// Recipient reads who a backup is encrypted for: age1…
func Recipient(text string) (age.Recipient, error) {
	all, err := age.ParseRecipients(strings.NewReader(strings.TrimSpace(text)))
	if err != nil || len(all) != 1 {
		return nil, errors.New("not a recipient of age; it is a line that begins with age1, as age-keygen -y prints it")
	}
	return all[0], nil
}

// Identities reads the file of an age key (age-keygen -o FILE).
func Identities(from io.Reader) ([]age.Identity, error) {
	all, err := age.ParseIdentities(io.LimitReader(from, 1<<20))
	if err != nil {
		return nil, errors.New("not the file of an age key, as age-keygen -o writes it") // age's error repeats what it could not read
	}
	return all, nil
}

// passphraseWork is the cost of a try at a passphrase, as a power of two: about a second, and 256 MiB, as the tool age has it.
const passphraseWork = 18

// Passphrase returns who a backup is encrypted for, and who opens it, with a passphrase.
func Passphrase(text string) (age.Recipient, age.Identity, error) {
	recipient, err := age.NewScryptRecipient(text)
	if err != nil {
		return nil, nil, err
	}
	recipient.SetWorkFactor(passphraseWork)
	identity, err := age.NewScryptIdentity(text)
	if err != nil {
		return nil, nil, err
	}
	identity.SetMaxWorkFactor(passphraseWork + 2)
	return recipient, identity, nil
}
