using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Api.Https;

/// <summary>A server's certificate with its private key, from a file.</summary>
internal static class CertificateFile
{
    /// <summary>Opens a PFX file, or a PEM file that holds the key too or has it beside it (<c>x.key</c> of <c>x.crt</c> or <c>x.pem</c>). The caller disposes the certificate.</summary>
    /// <param name="path">The file.</param>
    /// <param name="password">The password of the PFX file or of the PEM file's key; null for none.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="AsrException">It cannot be read, has no private key, or has expired.</exception>
    public static X509Certificate2 Open(string path, string? password, TimeProvider time)
    {
        X509Certificate2 certificate;
        try
        {
            certificate = X509Certificate2.GetCertContentType(path) == X509ContentType.Pkcs12
                ? X509CertificateLoader.LoadPkcs12FromFile(path, password)
                : OpenPem(path, password);
        }
        catch (CryptographicException error) when (!File.Exists(path))
        {
            throw new AsrException($"--https-cert {path}: there is no such file", error);
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new AsrException(
                $"--https-cert {path}: {error.Message.ReplaceLineEndings(" ")} (a PFX file, or a PEM file with its key; the password is --https-cert-password)", error);
        }

        if (!certificate.HasPrivateKey)
        {
            certificate.Dispose();
            throw new AsrException($"--https-cert {path}: the file has no private key");
        }

        if (certificate.NotAfter.ToUniversalTime() < time.GetUtcNow())
        {
            var end = certificate.NotAfter.ToUniversalTime();
            certificate.Dispose();
            throw new AsrException(FormattableString.Invariant($"--https-cert {path}: the certificate has expired on {end:yyyy-MM-dd}"));
        }

        return certificate;
    }

    private static X509Certificate2 OpenPem(string path, string? password)
    {
        var beside = Path.ChangeExtension(path, ".key");
        var keyPath = File.Exists(beside) ? beside : path;
        using var certificate = password is null
            ? X509Certificate2.CreateFromPemFile(path, keyPath)
            : X509Certificate2.CreateFromEncryptedPemFile(path, password, keyPath);

        // Windows serves only with keys that went through its own store.
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }
}
