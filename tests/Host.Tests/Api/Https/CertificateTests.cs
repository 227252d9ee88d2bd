using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Api.Https;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Api.Https;

/// <summary>Where the host's certificate comes from.</summary>
public sealed class CertificateTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory().FullName;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2030-05-01T00:00:00Z"));

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public void Auto_MakesOneCertificateAndKeepsIt()
    {
        using var first = SelfSignedCertificate.Open(_data, _time);
        using var second = SelfSignedCertificate.Open(_data, _time);
        Assert.Equal(first.Thumbprint, second.Thumbprint);
        Assert.True(first.HasPrivateKey);
        var names = first.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single();
        Assert.Contains("localhost", names.EnumerateDnsNames());
        Assert.Contains(Dns.GetHostName(), names.EnumerateDnsNames());
        Assert.Contains(IPAddress.Loopback, names.EnumerateIPAddresses());
        Assert.InRange((first.NotAfter - first.NotBefore).TotalDays, 365, 398);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.ChangeExtension(SelfSignedCertificate.PathIn(_data), ".key")));
        }
    }

    [Fact]
    public void Auto_WhenItExpires_MakesAnother()
    {
        using var first = SelfSignedCertificate.Open(_data, _time);
        _time.Advance(TimeSpan.FromDays(380));
        using var same = SelfSignedCertificate.Open(_data, _time);
        Assert.Equal(first.Thumbprint, same.Thumbprint);
        _time.Advance(TimeSpan.FromDays(10));
        using var next = SelfSignedCertificate.Open(_data, _time);
        Assert.NotEqual(first.Thumbprint, next.Thumbprint);
        Assert.True(next.NotAfter.ToUniversalTime() > _time.GetUtcNow());
    }

    [Fact]
    public void Auto_WhenItIsDamaged_MakesAnother()
    {
        using var first = SelfSignedCertificate.Open(_data, _time);
        File.WriteAllText(SelfSignedCertificate.PathIn(_data), "no certificate");
        using var next = SelfSignedCertificate.Open(_data, _time);
        Assert.NotEqual(first.Thumbprint, next.Thumbprint);
    }

    [Fact]
    public void File_AsPfxOrPem_IsOpenedWithItsPassword()
    {
        using var made = SelfSignedCertificate.Open(_data, _time);
        var pfx = Path.Combine(_data, "mine.pfx");
        File.WriteAllBytes(pfx, made.Export(X509ContentType.Pkcs12, "secret"));
        using var opened = CertificateFile.Open(pfx, "secret", _time);
        Assert.Equal(made.Thumbprint, opened.Thumbprint);
        Assert.Contains("--https-cert-password", Assert.Throws<AsrException>(() => CertificateFile.Open(pfx, "wrong", _time)).Message, StringComparison.Ordinal);

        // Certificate and key in one file.
        var pem = Path.Combine(_data, "both.pem");
        File.WriteAllText(pem, made.ExportCertificatePem() + "\n" + made.GetECDsaPrivateKey()!.ExportEncryptedPkcs8PrivateKeyPem("secret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
        using var both = CertificateFile.Open(pem, "secret", _time);
        Assert.True(both.HasPrivateKey);
    }

    [Fact]
    public void File_ThatIsOfNoUse_SaysWhy()
    {
        using var made = SelfSignedCertificate.Open(_data, _time);
        Assert.Contains("no such file", Assert.Throws<AsrException>(() => CertificateFile.Open(Path.Combine(_data, "nothing.pfx"), null, _time)).Message, StringComparison.Ordinal);
        var alone = Path.Combine(_data, "alone.pem");
        File.WriteAllText(alone, made.ExportCertificatePem());
        Assert.Throws<AsrException>(() => CertificateFile.Open(alone, null, _time));
        _time.Advance(TimeSpan.FromDays(400));
        Assert.Contains("has expired on 2031-06-02", Assert.Throws<AsrException>(() => CertificateFile.Open(SelfSignedCertificate.PathIn(_data), null, _time)).Message, StringComparison.Ordinal);
    }
}
