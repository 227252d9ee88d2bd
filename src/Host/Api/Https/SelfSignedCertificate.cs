using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Api.Https;

/// <summary>The certificate that the host makes for itself, once, and keeps in the data folder until it expires.</summary>
internal static class SelfSignedCertificate
{
    /// <summary>Browsers refuse certificates of more than 398 days.</summary>
    private static readonly TimeSpan Validity = TimeSpan.FromDays(397);

    /// <summary>One that is about to expire is replaced at a start: the host may run for weeks.</summary>
    private static readonly TimeSpan Renewal = TimeSpan.FromDays(14);

    /// <summary>Clocks differ.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromHours(1);

    /// <summary>The certificate's file in a data folder; its key lies beside it, readable for this user alone.</summary>
    public static string PathIn(string dataDirectory) => Path.Combine(dataDirectory, "https", "localhost.crt");

    /// <summary>Opens it, or makes it. The caller disposes it.</summary>
    /// <exception cref="AsrException">The data folder cannot be written.</exception>
    public static X509Certificate2 Open(string dataDirectory, TimeProvider time)
    {
        var path = PathIn(dataDirectory);
        if (File.Exists(path))
        {
            try
            {
                var kept = CertificateFile.Open(path, password: null, time);
                if (kept.NotAfter.ToUniversalTime() > time.GetUtcNow() + Renewal)
                {
                    return kept;
                }

                kept.Dispose();
            }
            catch (AsrException)
            {
                // Expired or damaged: another one takes its place.
            }
        }

        try
        {
            Make(path, time.GetUtcNow());
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"--https-cert auto: {error.Message}", error);
        }

        return CertificateFile.Open(path, password: null, time);
    }

    private static void Make(string path, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=AsrPlatform", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(Names());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1", "Server Authentication")], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        using var certificate = request.CreateSelfSigned(now - ClockSkew, now + Validity);

        var folder = Path.GetDirectoryName(path)!;
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        Write(Path.ChangeExtension(path, ".key"), key.ExportPkcs8PrivateKeyPem(), isSecret: true);
        Write(path, certificate.ExportCertificatePem(), isSecret: false);
    }

    /// <summary>What the machine is called: where it is reached from itself and from its network.</summary>
    private static X509Extension Names()
    {
        var names = new SubjectAlternativeNameBuilder();
        var machine = Dns.GetHostName();
        foreach (var name in new[] { "localhost", machine, machine + ".local" }.Distinct(StringComparer.OrdinalIgnoreCase).Where(name => Uri.CheckHostName(name) == UriHostNameType.Dns))
        {
            names.AddDnsName(name);
        }

        var addresses = NetworkInterface.GetAllNetworkInterfaces()
            .Where(network => network.OperationalStatus == OperationalStatus.Up)
            .SelectMany(network => network.GetIPProperties().UnicastAddresses.Select(unicast => unicast.Address))
            .Where(address => address.AddressFamily == AddressFamily.InterNetwork || !address.IsIPv6LinkLocal);
        foreach (var address in addresses.Concat([IPAddress.Loopback, IPAddress.IPv6Loopback]).Distinct())
        {
            names.AddIpAddress(address);
        }

        return names.Build();
    }

    /// <summary>Writes a file whole: nobody sees half of it, and nobody else a key.</summary>
    private static void Write(string path, string text, bool isSecret)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | (isSecret ? 0 : UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        }

        using (var writer = new StreamWriter(temporary, options))
        {
            writer.Write(text);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
