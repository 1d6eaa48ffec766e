// Command make prints the fixture keys of package keystest as PEM.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log"
	"os"

	"signet/keys"
)

// made says how many keys of which kind, by an algorithm that needs it.
var made = []struct {
	kind, alg string
	count     int
}{
	{"RSA", "RS256", 24}, {"ES256", "ES256", 8}, {"ES384", "ES384", 4}, {"ES512", "ES512", 4}, {"EdDSA", "EdDSA", 8},
}

func main() {
	fmt.Print("TEST KEYS. They are public and protect nothing. Never use them outside tests.\n\n")
	for _, m := range made {
		for range m.count {
			key, err := keys.Generate(m.alg)
			if err != nil {
				log.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				log.Fatal(err)
			}
			block := &pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"Kind": m.kind, "Use": "tests only"}, Bytes: der}
			if err := pem.Encode(os.Stdout, block); err != nil {
				log.Fatal(err)
			}
		}
	}
}
