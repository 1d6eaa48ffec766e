package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"signet/configs"
	"signet/keys"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check the configuration"}
	cmd.AddCommand(a.configCheck())
	return a.group(cmd)
}

func (a *app) configCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Report all faults of the configuration, each with its line and the fix",
		Long: `Read FILE (or what --config names), the environment (SIGNET_…) and the files that they name, as serve would, and report all
faults at once. Nothing is started and nothing is changed.`,
		Example: `    signet config check /etc/signet/signet.yaml`,
		Args:    cobra.MaximumNArgs(1),
	}
	file := configFlag(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.command(func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			if *file != "" {
				return usagef("FILE was given twice, by --config too")
			}
			*file = args[0]
		}
		path := a.configFile(*file)
		_, err := a.configuration(path, nil)
		if *asJSON {
			return a.printCheck(err)
		}
		if err != nil {
			return err
		}
		if path == "" {
			path = "the configuration"
		}
		fmt.Fprintf(a.stdout, "%s is good.\n", path)
		return nil
	})
	return cmd
}

// check is the answer of config check --json.
type check struct {
	Good   bool         `json:"good"`
	Faults []checkFault `json:"faults"`
}

type checkFault struct {
	Place   string `json:"place"` // file:line, variable or flag
	Line    int    `json:"line,omitempty"`
	Setting string `json:"setting,omitempty"`
	Problem string `json:"problem"`
	Fix     string `json:"fix,omitempty"`
}

func (a *app) printCheck(err error) error {
	c := check{Good: err == nil, Faults: []checkFault{}}
	var faults configs.Faults
	errors.As(err, &faults)
	for _, f := range faults {
		c.Faults = append(c.Faults, checkFault{f.Place.String(), f.Place.Line, f.Key, f.Problem, f.Fix})
	}
	return errors.Join(a.printJSON(c), err)
}

func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("config", "", "configuration `FILE` (SIGNET_CONFIG)")
}

// configFile is the file to read: the flag over the environment; "" for none.
func (a *app) configFile(flag string) string {
	if flag == "" {
		return a.getenv("SIGNET_CONFIG")
	}
	return flag
}

// configured is a configuration that keeps all rules: its own, and those of the rooms for what it declares.
type configured struct {
	configs.Config
	file     string // "": none was read
	declared declared
}

// configuration reads and checks everything. Its error is configs.Faults.
func (a *app) configuration(file string, flags map[string][]string) (configured, error) {
	c, err := configs.Load(configs.Sources{File: file, Env: a.env, Flags: flags})
	var faults configs.Faults
	if err != nil && !errors.As(err, &faults) {
		return configured{}, err
	}
	d, declaredFaults := readDeclared(c)
	faults = append(append(faults, declaredFaults...), fileFaults(c)...)
	if len(faults) > 0 {
		faults.Sort()
		return configured{}, faults
	}
	return configured{c, file, d}, nil
}

// fileFaults tries the files that c names.
func fileFaults(c configs.Config) configs.Faults {
	var faults configs.Faults
	if c.TLSCert != "" && c.TLSKey != "" {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			faults = append(faults, configs.Fault{Place: c.Place("tls_cert"), Key: "tls_cert", Problem: err.Error(),
				Fix: "name a certificate and its key, in PEM, that signet may read"})
		}
	}
	if _, _, err := outgoingCA(c); err != nil {
		faults = append(faults, configs.Fault{Place: c.Place("outgoing_ca"), Key: "outgoing_ca", Problem: err.Error(),
			Fix: "name a file of certificates, in PEM, that signet may read"})
	}
	if _, err := statementKeys(c); err != nil {
		faults = append(faults, configs.Fault{Place: c.Place("software_statement_issuers"), Key: "software_statement_issuers", Problem: err.Error(),
			Fix: "name a JWK set of public keys that signet may read"})
	}
	if _, err := mailPassword(c); err != nil {
		problem, fix, _ := strings.Cut(err.Error(), "; ")
		faults = append(faults, configs.Fault{Place: c.Place("mail.password_file"), Key: "mail.password_file", Problem: problem, Fix: fix})
	}
	if c.MasterKeyFile != "" {
		if _, err := keys.LoadMaster(c.MasterKeyFile); err != nil {
			faults = append(faults, configs.Fault{Place: c.Place("master_key_file"), Key: "master_key_file", Problem: err.Error(),
				Fix: "a first one is made with (umask 077; openssl rand -base64 32 > FILE)"})
		}
	}
	return faults
}
