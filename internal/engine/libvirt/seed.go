package libvirt

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// seedLabel is the name of the volume by which cloud-init finds a seed, filled
// up with spaces as ISO 9660 has it.
const seedLabel = "cidata                          "

// noUserData stands for user data of which there are none.
const noUserData = "#cloud-config\n"

// seed is what a machine learns of itself when it boots: the files of
// cloud-init's NoCloud, by name. All but the user data, which are the tenant's,
// are JSON, which is YAML that leaves nothing to quote wrongly.
type seed map[string][]byte

func (c Config) seed(m engine.Machine) (seed, error) {
	address, err := c.Network.address(m.IP)
	if err != nil {
		return nil, err
	}
	userData, err := decodeUserData(m.UserData)
	if err != nil {
		return nil, err
	}
	metaData, err := indented(struct {
		InstanceID string   `json:"instance-id"`
		HostName   string   `json:"local-hostname"`
		PublicKeys []string `json:"public-keys"`
	}{string(m.ID), guestName(m), append([]string{}, m.SSHKeys...)})
	if err != nil {
		return nil, err
	}
	network, err := indented(c.Network.guestConfig(address))
	if err != nil {
		return nil, err
	}
	return seed{"meta-data": metaData, "user-data": userData, "network-config": network}, nil
}

func decodeUserData(encoded *string) ([]byte, error) {
	if encoded == nil || *encoded == "" {
		return []byte(noUserData), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(*encoded)
	if err != nil {
		return nil, cloud.Invalid("userData is not base64: %s", err)
	}
	return decoded, nil
}

// guestName makes a host name of a machine's name, which may hold anything.
func guestName(m engine.Machine) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, m.Name)
	return cmp.Or(strings.Trim(name, "-"), string(m.ID))
}

// The parts of cloud-init's network configuration, version 2, that are used.
type (
	guestNetwork struct {
		Version   int                      `json:"version"`
		Ethernets map[string]guestEthernet `json:"ethernets"`
	}
	guestEthernet struct {
		Match       guestMatch       `json:"match"`
		Addresses   []string         `json:"addresses"`
		Routes      []guestRoute     `json:"routes"`
		Nameservers guestNameservers `json:"nameservers"`
	}
	guestMatch struct {
		Hardware string `json:"macaddress"`
	}
	guestRoute struct {
		To  string `json:"to"`
		Via string `json:"via"`
	}
	guestNameservers struct {
		Addresses []netip.Addr `json:"addresses"`
	}
)

func (n Network) guestConfig(address netip.Addr) guestNetwork {
	return guestNetwork{Version: 2, Ethernets: map[string]guestEthernet{"primary": {
		Match:       guestMatch{hardwareAddress(address)},
		Addresses:   []string{netip.PrefixFrom(address, n.Prefix.Bits()).String()},
		Routes:      []guestRoute{{To: "0.0.0.0/0", Via: n.Gateway.String()}}, // older ones do not know "default"
		Nameservers: guestNameservers{append([]netip.Addr{}, n.Nameservers...)},
	}}}
}

func indented(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(v)
	return out.Bytes(), err
}

// Sizes of seeds, in bytes: a block, and what is there beside the files.
const (
	seedBlock    = 2048
	seedOverhead = 1 << 20
)

// write makes the seed a volume at path, as ISO 9660 with Rock Ridge, without
// which its files could not have their names.
func (s seed) write(path string) (err error) {
	size := int64(seedOverhead)
	for _, content := range s {
		size += int64(len(content)) + seedBlock
	}
	// Of one name each time, so that what a crash left of it goes with the next try.
	workspace := path + ".files"
	if err := os.RemoveAll(workspace); err != nil {
		return err
	}
	if err := os.Mkdir(workspace, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(workspace)) }()
	volume, err := file.CreateFromPath(path, size/seedBlock*seedBlock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, volume.Close()) }()
	filesystem, err := iso9660.Create(volume, 0, 0, seedBlock, workspace)
	if err != nil {
		return err
	}
	for name, content := range s {
		if err := os.WriteFile(filepath.Join(filesystem.Workspace(), name), content, 0o600); err != nil {
			return err
		}
	}
	if err := filesystem.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: seedLabel}); err != nil {
		return fmt.Errorf("write the seed: %w", err)
	}
	return os.Chmod(path, 0o600)
}
