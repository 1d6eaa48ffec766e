package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a YAML file that is read strictly: plain keys, each once, and all faults with their lines. Other configuration files of ours than
// that of serve are read by it too.
type File struct {
	Path   string
	Faults Faults
}

// ReadFile reads the file at a path and returns it with its root mapping: nil where there is none, for it is empty or has a fault.
func ReadFile(path string) (*File, *yaml.Node) {
	f := &File{Path: path}
	content, err := readFile(path)
	if err != nil {
		f.Fault(Place{File: path}, "", err.Error(), "name a readable file with --config")
		return f, nil
	}
	return f, f.Root(content)
}

// Fault reports one.
func (f *File) Fault(p Place, key, problem, fix string) {
	f.Faults = append(f.Faults, Fault{p, key, problem, fix})
}

// At is the place of a node.
func (f *File) At(n *yaml.Node) Place { return Place{File: f.Path, Line: n.Line} }

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)`)

// Root returns the mapping that the file's one document is; nil where there is none.
func (f *File) Root(content []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		p, problem := Place{File: f.Path}, strings.TrimPrefix(err.Error(), "yaml: ")
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			problem = m[2]
		}
		f.Fault(p, "", problem, "this is not YAML; look at the indentation and the colons on this line and the one before")
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil // nothing but comments
	}
	if root.Kind != yaml.MappingNode {
		f.Fault(f.At(root), "", "not a list of settings", "write one setting a line, like issuer: https://id.example.com")
		return nil
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		f.Fault(Place{File: f.Path}, "", "a second document follows the first", "remove what comes after the line ---")
	}
	return root
}

// Pairs walks a mapping's keys and values, and refuses what is not plain YAML, and keys that come twice: the library leaves
// both to whoever reads nodes.
func (f *File) Pairs(section string, n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			first, twice := seen[key.Value]
			switch {
			case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
				f.Fault(f.At(key), section, "not a plain key", "write name: value")
				continue
			case twice:
				f.Fault(f.At(key), key.Value, fmt.Sprintf("said before, on line %d", first), "keep one of the two")
				continue
			}
			seen[key.Value] = key.Line
			if !yield(key, value) {
				return
			}
		}
	}
}

// Scalars are the values of a plain value or, where many are taken, of a list of plain values, and the place of each.
func (f *File) Scalars(name string, n *yaml.Node, many bool) (values []string, places []Place, ok bool) {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
		if !many {
			f.Fault(f.At(n), name, "takes one value, not a list", "write the value without brackets or dash")
			return nil, nil, false
		}
	}
	values, ok = []string{}, true
	for _, v := range list {
		switch {
		case v.Kind != yaml.ScalarNode:
			f.Fault(f.At(v), name, "not a plain value", "write a value, or a list of values")
			ok = false
		case v.Tag == "!!null":
			f.Fault(f.At(v), name, "has no value", "write one, or leave the line out")
			ok = false
		}
		values, places = append(values, v.Value), append(places, f.At(v))
	}
	return values, places, ok
}

// Unknown reports a key that is none of known.
func (f *File) Unknown(key *yaml.Node, name string, known []string) {
	f.Fault(f.At(key), name, "no such setting", didYouMean(key.Value, known))
}

// IssuerFault says what is wrong with an issuer and how to mend it; "" if nothing is. insecure takes http beyond this machine.
func IssuerFault(issuer string, insecure bool) (problem, fix string) {
	return issuerFault(issuer, insecure)
}

// ListenFault is the same of an address to listen on.
func ListenFault(listen string) (problem, fix string) { return listenFault(listen) }
