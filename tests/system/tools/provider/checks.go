package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// An id of Scaleway's: a UUID, after the region or zone where it is in one.
var id = regexp.MustCompile(`^([a-z]{2}-[a-z]{3}(-[0-9])?/)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// refuse returns an error for each argument that a provider would refuse.
func refuse(block *tfprotov6.SchemaBlock, config tftypes.Value) ([]*tfprotov6.Diagnostic, error) {
	computed := map[string]bool{}
	for _, attribute := range block.Attributes {
		computed[attribute.Name] = attribute.Computed && !attribute.Optional
	}
	var refused []*tfprotov6.Diagnostic
	check := func(path *tftypes.AttributePath, value tftypes.Value) (bool, error) {
		name := attributeName(path)
		if !value.IsNull() && len(path.Steps()) == 1 && computed[name] {
			refused = append(refused, newError(path, fmt.Sprintf("%q is no argument: only the provider sets it.", name)))
		}
		if text, wrong := wrongID(name, value); wrong {
			refused = append(refused, newError(path, fmt.Sprintf("%q holds what is no UUID: %q.", name, text)))
		}
		return true, nil
	}
	return refused, tftypes.Walk(config, check)
}

func newError(path *tftypes.AttributePath, detail string) *tfprotov6.Diagnostic {
	return &tfprotov6.Diagnostic{
		Severity:  tfprotov6.DiagnosticSeverityError,
		Summary:   "Refused by the provider",
		Detail:    detail,
		Attribute: path,
	}
}

// attributeName returns the name of the attribute that a value is, or is an element of.
func attributeName(path *tftypes.AttributePath) string {
	steps := path.Steps()
	for index := len(steps) - 1; index >= 0; index-- {
		if name, ok := steps[index].(tftypes.AttributeName); ok {
			return string(name)
		}
	}
	return ""
}

// wrongID returns what a value holds that is to be an id, and is none.
func wrongID(name string, value tftypes.Value) (string, bool) {
	named := strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_ids")
	if !named || !value.Type().Is(tftypes.String) || value.IsNull() || !value.IsKnown() {
		return "", false
	}
	var text string
	err := value.As(&text)
	return text, err != nil || !id.MatchString(text)
}
