package replication

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// minSecret is the least length of a key, in bytes: that of the hash.
const minSecret = sha256.Size

// maxToken bounds what is looked at: a client may send anything.
const maxToken = 128

// Key signs tokens.
type Key struct {
	// ID tells keys apart, and is part of each token: 1 to 32 letters, digits,
	// _ and -.
	ID string
	// Secret is at least 32 random bytes.
	Secret []byte
}

// tokenFault is what is wrong with a token.
type tokenFault int32

const (
	tokenGood tokenFault = iota
	tokenForged
	tokenExpired
	tokenForeign
)

// reason is why reads with such a token go to the primary.
func (f tokenFault) reason() reason {
	switch f {
	case tokenExpired:
		return reasonExpired
	case tokenForeign:
		return reasonForeign
	}
	return reasonForged
}

// A token is the key's ID, a dot, and the rest in URL-safe base64:
//
//	version    1 byte, 1
//	audience   4 bytes, the start of its hash
//	position   8 bytes
//	written    8 bytes, milliseconds since 1970
//	signature 32 bytes, HMAC-SHA256 of the key's ID, a zero byte and the above
const (
	tokenVersion  = 1
	audienceSize  = 4
	tokenUnsigned = 1 + audienceSize + 8 + 8
	tokenSize     = tokenUnsigned + sha256.Size
)

// signer makes and reads tokens. It is safe for concurrent use.
type signer struct {
	keys     []Key // the first one signs
	audience [audienceSize]byte
	ttl      time.Duration
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func newSigner(keys []Key, audience string, ttl time.Duration) (signer, error) {
	var problems []error
	if len(keys) == 0 {
		problems = append(problems, errors.New("Keys is empty: want at least one"))
	}
	seen := map[string]bool{}
	for i, k := range keys {
		if !keyID.MatchString(k.ID) {
			problems = append(problems, fmt.Errorf("Keys[%d].ID is %q: want 1 to 32 letters, digits, _ and -", i, k.ID))
		}
		if seen[k.ID] {
			problems = append(problems, fmt.Errorf("Keys[%d].ID is %q, as another one's", i, k.ID))
		}
		seen[k.ID] = true
		if len(k.Secret) < minSecret {
			problems = append(problems, fmt.Errorf("Keys[%d].Secret has %d bytes: want at least %d random ones", i, len(k.Secret), minSecret))
		}
	}
	s := signer{ttl: ttl}
	for _, k := range keys {
		s.keys = append(s.keys, Key{k.ID, append([]byte(nil), k.Secret...)})
	}
	hash := sha256.Sum256([]byte(audience))
	copy(s.audience[:], hash[:])
	return s, errors.Join(problems...)
}

// sign returns the token of a session.
func (s *signer) sign(at LSN, wrote time.Time) string {
	key := s.keys[0]
	raw := make([]byte, 0, tokenSize)
	raw = append(raw, tokenVersion)
	raw = append(raw, s.audience[:]...)
	raw = binary.BigEndian.AppendUint64(raw, uint64(at))
	raw = binary.BigEndian.AppendUint64(raw, uint64(wrote.UnixMilli()))
	raw = append(raw, signature(key, raw)...)
	return key.ID + "." + base64.RawURLEncoding.EncodeToString(raw)
}

// read returns what a token says, or what is wrong with it. A token with a key
// that is not known, or for another audience, is foreign.
func (s *signer) read(token string, now time.Time) (at LSN, wrote time.Time, fault tokenFault) {
	id, encoded, found := strings.Cut(token, ".")
	if !found || len(token) > maxToken || !keyID.MatchString(id) {
		return 0, time.Time{}, tokenForged
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != tokenSize || raw[0] != tokenVersion {
		return 0, time.Time{}, tokenForged
	}
	key, known := s.key(id)
	if !known {
		return 0, time.Time{}, tokenForeign
	}
	if !hmac.Equal(raw[tokenUnsigned:], signature(key, raw[:tokenUnsigned])) {
		return 0, time.Time{}, tokenForged
	}
	if [audienceSize]byte(raw[1:]) != s.audience {
		return 0, time.Time{}, tokenForeign
	}
	at = LSN(binary.BigEndian.Uint64(raw[1+audienceSize:]))
	wrote = time.UnixMilli(int64(binary.BigEndian.Uint64(raw[1+audienceSize+8:])))
	// One that is written in the future comes from a clock that is off by more
	// than a token lives.
	if age := now.Sub(wrote); age >= s.ttl || age <= -s.ttl {
		return 0, time.Time{}, tokenExpired
	}
	return at, wrote, tokenGood
}

func (s *signer) key(id string) (Key, bool) {
	for _, k := range s.keys {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

func signature(k Key, unsigned []byte) []byte {
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte(k.ID))
	mac.Write([]byte{0})
	mac.Write(unsigned)
	return mac.Sum(nil)
}
