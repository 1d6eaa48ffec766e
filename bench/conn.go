package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// conn is one keep-alive connection of a client that costs as little as it can: the load shares the machine with what it measures.
type conn struct {
	net  net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

func dial(address string) (*conn, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &conn{net: c, in: bufio.NewReaderSize(c, 16<<10)}, nil
}

// answer is what the load reads of an answer. Its bytes are good until the connection's next request.
type answer struct {
	status   int
	location string
	body     []byte
}

// get asks for a path; headers are whole lines with their ends.
func (c *conn) get(path, headers string) (answer, error) {
	c.out = fmt.Appendf(c.out[:0], "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n", path, headers)
	return c.exchange()
}

// post sends a form.
func (c *conn) post(path, headers, form string) (answer, error) {
	c.out = fmt.Appendf(c.out[:0], "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n%s\r\n%s",
		path, len(form), headers, form)
	return c.exchange()
}

func (c *conn) exchange() (a answer, err error) {
	if _, err := c.net.Write(c.out); err != nil {
		return a, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < 12 {
		return a, errors.New("a status line that is none")
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, err
	}
	length := 0
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return a, err
		}
		name, value, found := bytes.Cut(line, []byte(": "))
		if !found {
			break
		}
		value = bytes.TrimRight(value, "\r\n")
		switch string(name) { // as net/http spells them
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return a, err
			}
		case "Location":
			a.location = string(value)
		case "Transfer-Encoding":
			return a, errors.New("an answer in chunks: short answers say their length")
		}
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	a.body = c.body[:length]
	_, err = io.ReadFull(c.in, a.body)
	return a, err
}

// member is a string member of an answer in JSON, "" if it has none.
func (a answer) member(name string) string {
	_, rest, found := bytes.Cut(a.body, []byte(`"`+name+`":"`))
	if !found {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// want is an error unless the answer has the status.
func (a answer) want(status int, err error) error {
	switch {
	case err != nil:
		return err
	case a.status != status:
		return fmt.Errorf("answer %d, not %d: %s %s", a.status, status, a.location, a.body)
	}
	return nil
}
