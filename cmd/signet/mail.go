package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signet/configs"
	"signet/mail"
	"signet/web"
)

func (a *app) mailCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "mail", Short: "Try the mail server"}
	cmd.AddCommand(a.mailTest())
	return a.group(cmd)
}

func (a *app) mailTest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test ADDRESS",
		Short: "Send a message to an address, by the mail server of the configuration",
		Long: `Send a test message to ADDRESS as the server would, by the mail server that the configuration names (mail.host), and print what that
one says if it does not take it. No server has to run. That it was taken does not say that it arrives: look for it.`,
		Example: `    signet mail test you@example.com --config /etc/signet/signet.yaml`,
		Args:    exactly("ADDRESS"),
	}
	file := configFlag(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.command(func(cmd *cobra.Command, args []string) error {
		cfg, err := a.configuration(a.configFile(*file), nil)
		if err != nil {
			return err
		}
		_, pool, err := outgoingCA(cfg.Config)
		if err != nil {
			return err
		}
		password, err := mailPassword(cfg.Config)
		if err != nil {
			return fmt.Errorf("mail.password_file: %w", err)
		}
		sender, err := mailSender(cfg.Config, password, pool, nil)
		switch {
		case err != nil:
			return err
		case sender == nil:
			return errors.New("no mail server is configured; set mail.host and mail.from")
		}
		letters, err := web.NewLetters(cfg.Issuer)
		if err != nil {
			return err
		}
		letter, err := letters.Write(web.Trial{})
		if err != nil {
			return err
		}
		id, err := sender.Send(cmd.Context(), mail.Message{To: args[0], Subject: letter.Subject, Text: letter.Text, HTML: letter.HTML, Language: letter.Language})
		if refusal, ok := errors.AsType[*mail.Error](err); ok && refusal.Code != "" {
			return fmt.Errorf("%s: %w\n%s", cfg.Mail.Host, err, plain(refusal.Answer()))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", cfg.Mail.Host, err)
		}
		if *asJSON {
			return a.printJSON(map[string]string{"id": id})
		}
		fmt.Fprintf(a.stdout, "%s took the message %s.\n", cfg.Mail.Host, id)
		return nil
	})
	return cmd
}

// mailSender sends by the mail server that is configured, with the password of [mailPassword]; nil if there is none. The log may be nil.
func mailSender(cfg configs.Config, password string, ca *x509.CertPool, log *slog.Logger) (*mail.Sender, error) {
	if cfg.Mail.Host == "" {
		return nil, nil
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	return mail.New(mail.Options{
		Host: cfg.Mail.Host, Port: cfg.Mail.At(), TLS: cfg.Mail.TLS, CA: ca, User: cfg.Mail.User, Password: password, From: cfg.Mail.From, Name: issuer.Host, Log: log,
	})
}

// mailPassword reads the password's file, which is for its owner alone, as that of the database's URL.
func mailPassword(cfg configs.Config) (string, error) {
	if cfg.Mail.PasswordFile == "" {
		return "", nil
	}
	if err := ownersAlone(cfg.Mail.PasswordFile); err != nil {
		return "", err
	}
	b, err := os.ReadFile(cfg.Mail.PasswordFile)
	password := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case err != nil:
		return "", fmt.Errorf("%w; name a file that signet may read", err)
	case password == "" || strings.ContainsAny(password, "\x00\r\n"):
		return "", fmt.Errorf("%s holds no password on one line; write it there", cfg.Mail.PasswordFile)
	}
	return password, nil
}
