// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"encoding/base64"
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

// Kubeconfig is what counts of a kubeconfig.
type Kubeconfig struct {
	// Server is the URL of the API server.
	Server string
	// CA are the authorities, CAFile the file that has them.
	CA     []byte
	CAFile string
	// Certificate is the client's, CertificateFile the file that has it.
	Certificate     []byte
	CertificateFile string
	// key is the client's key; it is compared with the certificate, and told nowhere.
	key []byte
	// KeyFile is the file that has it.
	KeyFile string
	// Users is how many users it names.
	Users int
}

// ParseKubeconfig reads a kubeconfig. Of several clusters and users it takes those of the
// current context, and the first ones where it has none.
func ParseKubeconfig(raw []byte) (Kubeconfig, error) {
	if len(raw) > MostOfFile {
		return Kubeconfig{}, fmt.Errorf("it has more than %d bytes", MostOfFile)
	}
	var c kubeconfig
	// The error of a parser may quote what it could not read, and there are keys in it.
	if err := yaml.Unmarshal(raw, &c); err != nil || len(c.Clusters) == 0 && len(c.Users) == 0 {
		return Kubeconfig{}, errors.New("it is no kubeconfig")
	}
	cluster, user := c.current()
	k := Kubeconfig{Server: cluster.Server, CAFile: cluster.CAFile, CertificateFile: user.CertificateFile, KeyFile: user.KeyFile,
		Users: len(c.Users)}
	for _, field := range []struct {
		name, from string
		into       *[]byte
	}{
		{"certificate-authority-data", cluster.CA, &k.CA}, {"client-certificate-data", user.Certificate, &k.Certificate},
		{"client-key-data", user.Key, &k.key},
	} {
		decoded, err := base64.StdEncoding.DecodeString(field.from)
		if err != nil {
			return k, fmt.Errorf("%s is not in base64", field.name)
		}
		*field.into = decoded
	}
	return k, nil
}

// kubeconfig is what counts of the file.
type kubeconfig struct {
	Current  string `json:"current-context"`
	Contexts []struct {
		Name    string `json:"name"`
		Context struct {
			Cluster string `json:"cluster"`
			User    string `json:"user"`
		} `json:"context"`
	} `json:"contexts"`
	Clusters []namedCluster `json:"clusters"`
	Users    []namedUser    `json:"users"`
}

type namedCluster struct {
	Name    string      `json:"name"`
	Cluster clusterPart `json:"cluster"`
}

type namedUser struct {
	Name string   `json:"name"`
	User userPart `json:"user"`
}

type clusterPart struct {
	Server string `json:"server"`
	CA     string `json:"certificate-authority-data"`
	CAFile string `json:"certificate-authority"`
}

type userPart struct {
	Certificate     string `json:"client-certificate-data"`
	CertificateFile string `json:"client-certificate"`
	Key             string `json:"client-key-data"`
	KeyFile         string `json:"client-key"`
}

// current are the cluster and the user that the file would be used with.
func (c kubeconfig) current() (cluster clusterPart, user userPart) {
	if len(c.Clusters) > 0 {
		cluster = c.Clusters[0].Cluster
	}
	if len(c.Users) > 0 {
		user = c.Users[0].User
	}
	for _, context := range c.Contexts {
		if context.Name != c.Current {
			continue
		}
		for _, one := range c.Clusters {
			if one.Name == context.Context.Cluster {
				cluster = one.Cluster
			}
		}
		for _, one := range c.Users {
			if one.Name == context.Context.User {
				user = one.User
			}
		}
	}
	return cluster, user
}
