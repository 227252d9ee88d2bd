using System.CommandLine;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Api.Https;

/// <summary>The options of <c>serve</c> that make it speak https. The configuration's section <c>Https</c> says the same: <c>Certificate</c>, <c>Password</c>.</summary>
internal sealed class HttpsOptions
{
    public const string CertificateKey = "Https:Certificate";

    private const string PasswordKey = "Https:Password";

    /// <summary>Where https listens when no address says so; port 0 of http gives port 0.</summary>
    private const int DefaultPort = 5443;

    private readonly Option<string?> _certificate = new("--https-cert") { Description = "serves https too: auto makes a self-signed certificate in the data folder; else a PFX or PEM file", HelpName = "auto|FILE" };
    private readonly Option<string?> _password = new("--https-cert-password") { Description = "the password of the certificate's file; better as the environment variable ASR_Https__Password", HelpName = "TEXT" };

    public void AddTo(Command command)
    {
        command.Options.Add(_certificate);
        command.Options.Add(_password);
    }

    /// <summary>Gives the host its certificate, where the command line or the configuration names one.</summary>
    /// <inheritdoc cref="Apply(WebApplicationBuilder, string, TimeProvider)" path="/exception"/>
    public void Apply(ParseResult parsed, WebApplicationBuilder builder, string dataDirectory, TimeProvider time)
    {
        builder.Configuration[CertificateKey] = parsed.GetValue(_certificate) ?? builder.Configuration[CertificateKey];
        builder.Configuration[PasswordKey] = parsed.GetValue(_password) ?? builder.Configuration[PasswordKey];
        Apply(builder, dataDirectory, time);
    }

    /// <summary>Gives the host the certificate of its configuration, where there is one, and an https address beside the http ones where there is none.</summary>
    /// <param name="builder">The host; its <c>urls</c> are changed.</param>
    /// <param name="dataDirectory">Where a self-signed certificate is kept.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="AsrException">The certificate cannot be used, or https is asked for without one.</exception>
    public static void Apply(WebApplicationBuilder builder, string dataDirectory, TimeProvider time)
    {
        var urls = builder.Configuration["urls"] ?? "";
        var hasHttps = urls.Contains("https:", StringComparison.OrdinalIgnoreCase);
        if (builder.Configuration[CertificateKey] is not { Length: > 0 } source)
        {
            if (hasHttps)
            {
                throw new AsrException("--urls: https needs a certificate: --https-cert auto makes one, --https-cert FILE takes yours");
            }

            return;
        }

        var certificate = source == "auto"
            ? SelfSignedCertificate.Open(dataDirectory, time)
            : CertificateFile.Open(source, builder.Configuration[PasswordKey], time);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate = certificate));
        if (!hasHttps)
        {
            builder.Configuration["urls"] = $"{urls};{HttpsBeside(urls)}";
        }
    }

    /// <summary>The https address on the host of the first http one.</summary>
    private static string HttpsBeside(string urls)
    {
        var first = BindingAddress.Parse(urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[0]);
        return $"https://{first.Host}:{(first.Port == 0 ? 0 : DefaultPort)}";
    }
}
