package manifest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rcactl/rcactl/pkg/dsse"
	"github.com/rcactl/rcactl/pkg/run"
)

// cosign is the path of the oracle. It is built outside the module: linking it
// would bring 80 modules in.
func cosign(t *testing.T) string {
	t.Helper()
	path := os.Getenv("RCACTL_COSIGN")
	if path != "" {
		return path
	}
	const loud = "RCACTL_COSIGN is not set: NOT CHECKED AGAINST COSIGN (make test builds it)"
	if os.Getenv("RCACTL_TEST_REQUIRE") == "1" {
		t.Fatal(loud)
	}
	t.Skip(loud)
	return ""
}

// offline runs a program with an empty home and a proxy that nobody answers.
func offline(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "COSIGN_PASSWORD=open sesame",
		"HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func publicFile(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	text, err := dsse.MarshalPublic(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pub")
	write(t, path, string(text))
	return path
}

func TestCosignVerifiesOffline(t *testing.T) {
	bin := cosign(t)
	for _, alg := range []dsse.Algorithm{dsse.P256, dsse.Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			w := newWorld(t, alg)
			dir := w.collect(t, done())
			pub := publicFile(t, w.key.Public())
			verify := func(pub, predicateType, file string) (string, error) {
				return offline(t, dir, bin, "verify-blob-attestation", "--key", pub, "--bundle", run.BundleFile,
					"--type", predicateType, "--insecure-ignore-tlog", file)
			}
			for _, file := range []string{"evidence/deployment.jsonl", "evidence/runtime.jsonl", "actions.jsonl"} {
				if out, err := verify(pub, PredicateType, file); err != nil || !strings.Contains(out, "Verified OK") {
					t.Errorf("%s: %v\n%s", file, err, out)
				}
			}
			if out, err := verify(publicFile(t, newWorld(t, alg).key.Public()), PredicateType, "actions.jsonl"); err == nil {
				t.Errorf("another key passed: %s", out)
			}
			if out, err := verify(pub, "https://rcactl.dev/attestation/other/v1", "actions.jsonl"); err == nil {
				t.Errorf("another type passed: %s", out)
			}
			write(t, filepath.Join(dir, "actions.jsonl"), "{\"verb\":\"edit\"}\n")
			if out, err := verify(pub, PredicateType, "actions.jsonl"); err == nil {
				t.Errorf("an edited file passed: %s", out)
			}
		})
	}
}

func TestReadsCosignKeys(t *testing.T) {
	bin := cosign(t)
	dir := t.TempDir()
	if out, err := offline(t, dir, bin, "generate-key-pair"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	private, err := os.ReadFile(filepath.Join(dir, "cosign.key"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(filepath.Join(dir, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := dsse.ParsePrivate(private, []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := dsse.ParsePublic(public)
	if err != nil {
		t.Fatal(err)
	}
	if !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(pub) {
		t.Error("the two files are not a pair")
	}
	w := newWorld(t, dsse.P256)
	w.key = key
	if w.signer, err = dsse.NewSigner(key, rand.Reader); err != nil {
		t.Fatal(err)
	}
	run1 := w.collect(t, done())
	w.verify(t, run1, Options{Keys: []crypto.PublicKey{pub}})
	if out, err := offline(t, run1, bin, "verify-blob-attestation", "--key", filepath.Join(dir, "cosign.pub"), "--bundle", run.BundleFile,
		"--type", PredicateType, "--insecure-ignore-tlog", "actions.jsonl"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// An unsigned run may be signed afterwards by cosign, over the same bytes.
func TestReadsCosignSignatures(t *testing.T) {
	bin := cosign(t)
	keys := t.TempDir()
	if out, err := offline(t, keys, bin, "generate-key-pair"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := offline(t, keys, bin, "signing-config", "create", "--no-default-fulcio", "--no-default-rekor",
		"--no-default-tsa", "--no-default-oidc", "--out", "sc.json"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := newWorld(t, dsse.P256)
	w.signer = nil
	dir := w.collect(t, done())
	if out, err := offline(t, dir, bin, "attest-blob", "--key", filepath.Join(keys, "cosign.key"), "--statement", run.ManifestFile,
		"--type", PredicateType, "--bundle", run.BundleFile, "--signing-config", filepath.Join(keys, "sc.json"), "-y"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(keys, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := dsse.ParsePublic(text)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := w.verify(t, dir, Options{Keys: []crypto.PublicKey{pub}}); !v.Signed() {
		t.Error("not signed")
	}
}

// The commands of docs/manifest.md for people who have only openssl.
func TestOpenSSLVerifies(t *testing.T) {
	bin, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not on PATH: NOT CHECKED AGAINST OPENSSL")
	}
	for _, alg := range []dsse.Algorithm{dsse.P256, dsse.Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			w := newWorld(t, alg)
			dir := w.collect(t, done())
			text, err := os.ReadFile(filepath.Join(dir, run.BundleFile))
			if err != nil {
				t.Fatal(err)
			}
			// Read as jq would: nothing of our own decoder.
			var bundle struct {
				DSSE struct {
					Signatures []struct {
						Sig string `json:"sig"`
					} `json:"signatures"`
				} `json:"dsseEnvelope"`
			}
			if err := json.Unmarshal(text, &bundle); err != nil {
				t.Fatal(err)
			}
			sig, err := base64.StdEncoding.DecodeString(bundle.DSSE.Signatures[0].Sig)
			if err != nil {
				t.Fatal(err)
			}
			payload, err := os.ReadFile(filepath.Join(dir, run.ManifestFile))
			if err != nil {
				t.Fatal(err)
			}
			work := t.TempDir()
			write(t, filepath.Join(work, "sig"), string(sig))
			pae := []byte("DSSEv1 28 application/vnd.in-toto+json " + strconv.Itoa(len(payload)) + " ")
			verify := func(pae []byte) (string, error) {
				write(t, filepath.Join(work, "pae"), string(pae))
				pub := publicFile(t, w.key.Public())
				if alg == dsse.P256 {
					return offline(t, work, bin, "dgst", "-sha256", "-verify", pub, "-signature", "sig", "pae")
				}
				return offline(t, work, bin, "pkeyutl", "-verify", "-pubin", "-inkey", pub, "-rawin", "-in", "pae", "-sigfile", "sig")
			}
			if out, err := verify(append(bytes.Clone(pae), payload...)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if out, err := verify(append(pae, bytes.Replace(payload, []byte("partial"), []byte("complete"), 1)...)); err == nil {
				t.Errorf("an edited manifest passed: %s", out)
			}
		})
	}
}
