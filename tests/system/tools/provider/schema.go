package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// schemas is one provider's part of what `tofu providers schema -json` prints, without data sources.
type schemas struct {
	Provider  schema            `json:"provider"`
	Resources map[string]schema `json:"resource_schemas"`
}

type schema struct {
	Version int64 `json:"version"`
	Block   block `json:"block"`
}

type block struct {
	Attributes map[string]attribute `json:"attributes"`
	BlockTypes map[string]blockType `json:"block_types"`
}

type attribute struct {
	Type      json.RawMessage `json:"type"`
	Required  bool            `json:"required"`
	Optional  bool            `json:"optional"`
	Computed  bool            `json:"computed"`
	Sensitive bool            `json:"sensitive"`
	WriteOnly bool            `json:"write_only"`
}

type blockType struct {
	NestingMode string `json:"nesting_mode"`
	Block       block  `json:"block"`
	MinItems    int64  `json:"min_items"`
	MaxItems    int64  `json:"max_items"`
}

var nestings = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"list": tfprotov6.SchemaNestedBlockNestingModeList,
	"set":  tfprotov6.SchemaNestedBlockNestingModeSet,
}

func readSchemas(path string) (*tfprotov6.GetProviderSchemaResponse, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var read schemas
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	provider, err := read.Provider.convert()
	if err != nil {
		return nil, fmt.Errorf("%s: provider: %w", path, err)
	}
	resources := make(map[string]*tfprotov6.Schema, len(read.Resources))
	for name, one := range read.Resources {
		if resources[name], err = one.convert(); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	return &tfprotov6.GetProviderSchemaResponse{Provider: provider, ResourceSchemas: resources}, nil
}

func (s schema) convert() (*tfprotov6.Schema, error) {
	made, err := s.Block.convert()
	return &tfprotov6.Schema{Version: s.Version, Block: made}, err
}

func (b block) convert() (*tfprotov6.SchemaBlock, error) {
	made := &tfprotov6.SchemaBlock{}
	for name, read := range b.Attributes {
		//lint:ignore SA1019 There is no other way from a type's JSON.
		kind, err := tftypes.ParseJSONType(read.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		made.Attributes = append(made.Attributes, &tfprotov6.SchemaAttribute{
			Name:      name,
			Type:      kind,
			Required:  read.Required,
			Optional:  read.Optional,
			Computed:  read.Computed,
			Sensitive: read.Sensitive,
			WriteOnly: read.WriteOnly,
		})
	}
	for name, read := range b.BlockTypes {
		nesting, known := nestings[read.NestingMode]
		if !known {
			return nil, fmt.Errorf("%s: unknown nesting mode %q", name, read.NestingMode)
		}
		nested, err := read.Block.convert()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		made.BlockTypes = append(made.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name,
			Block:    nested,
			Nesting:  nesting,
			MinItems: read.MinItems,
			MaxItems: read.MaxItems,
		})
	}
	return made, nil
}
