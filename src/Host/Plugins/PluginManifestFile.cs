using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using AsrPlatform.Abstractions.Plugins;

namespace AsrPlatform.Host.Plugins;

/// <summary>Reads and checks <c>plugin.json</c>.</summary>
internal static partial class PluginManifestFile
{
    public const string Name = "plugin.json";

    /// <summary>Far more than a manifest needs; keeps a stray file from being read into memory.</summary>
    private const long MaxBytes = 1 << 20;

    /// <summary>Reads the manifest of a folder, without judging what it says.</summary>
    /// <exception cref="PluginRejectedException">It is outside the folder, cannot be read or is no manifest.</exception>
    public static PluginManifest Read(string directory)
    {
        var path = Path.Combine(directory, Name);
        try
        {
            RequireInside(path, directory, Name);
            if (new FileInfo(path).Length > MaxBytes)
            {
                throw Invalid($"{Name} is larger than {MaxBytes} bytes");
            }

            using var stream = File.OpenRead(path);
            var manifest = JsonSerializer.Deserialize(stream, PluginJsonContext.Default.PluginManifest)
                ?? throw Invalid($"{Name} holds null");

            // Generated serialisation sets every init-only property: one that the file leaves out loses its initial value.
            return manifest.Native is null ? manifest with { Native = [] } : manifest;
        }
        catch (JsonException error)
        {
            throw Invalid($"{Name}: {OneLine.Of(error.Message)}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Invalid($"{Name} cannot be read: {OneLine.Of(error.Message)}", error);
        }
    }

    /// <summary>Checks the id alone, which configuration and messages use.</summary>
    /// <exception cref="PluginRejectedException">It is no id.</exception>
    public static void ValidateId(PluginManifest manifest)
    {
        if (!IdPattern().IsMatch(manifest.Id))
        {
            throw Invalid($"{Name}: id '{manifest.Id}' is not 1 to 64 letters, digits, '.', '-' and '_', beginning with a letter or digit");
        }

        if (PluginHostOptions.ReservedIds.Contains(manifest.Id))
        {
            throw Invalid($"{Name}: id '{manifest.Id}' is the name of a setting; choose another");
        }
    }

    /// <summary>Checks everything else that can be checked without loading code.</summary>
    /// <returns>The canonical path of the assembly.</returns>
    /// <exception cref="PluginRejectedException">Something is wrong; the message says what.</exception>
    public static string Validate(PluginManifest manifest, string directory)
    {
        if (!SemanticVersionPattern().IsMatch(manifest.Version))
        {
            throw Invalid($"{Name}: version '{manifest.Version}' is not a semantic version such as 1.2.3 or 1.0.0-beta.1");
        }

        ValidateContract(manifest.Contract);
        if (manifest.Kinds.Count == 0)
        {
            throw Invalid($"{Name}: kinds is empty; there are {KnownKinds}");
        }

        foreach (var kind in manifest.Kinds)
        {
            if (PluginKind.Find(kind) is null)
            {
                throw Invalid($"{Name}: kind '{kind}' is unknown; there are {KnownKinds}");
            }
        }

        foreach (var requirement in manifest.Native)
        {
            if (requirement.Library.Length == 0 || Path.GetFileName(requirement.Library) != requirement.Library)
            {
                throw Invalid($"{Name}: native library '{requirement.Library}' is not a file name");
            }
        }

        return AssemblyPath(manifest.Assembly, directory);
    }

    private static string KnownKinds => string.Join(", ", PluginKind.All.Select(kind => kind.Name));

    private static void ValidateContract(string contract)
    {
        var host = PluginContract.Version;
        if (!ContractPattern().IsMatch(contract) || !Version.TryParse(contract, out var version))
        {
            throw Invalid($"{Name}: contract '{contract}' is not major.minor, such as {host}");
        }

        if (version.Major != host.Major || version.Minor > host.Minor)
        {
            throw new PluginRejectedException(
                PluginState.Incompatible,
                $"it was built for contract {contract}, this host has {host}",
                version > host ? "update AsrPlatform, or install an older version of the plugin" : "install a version of the plugin that was built for this host");
        }
    }

    private static string AssemblyPath(string assembly, string directory)
    {
        if (assembly.Length == 0 || Path.GetFileName(assembly) != assembly)
        {
            throw Invalid($"{Name}: assembly '{assembly}' is not the name of a file in the plugin's folder");
        }

        var path = Path.Combine(directory, assembly);
        if (!File.Exists(path))
        {
            throw Invalid($"{Name}: assembly '{assembly}' is not in the plugin's folder");
        }

        return RequireInside(path, directory, $"assembly '{assembly}'");
    }

    private static string RequireInside(string path, string directory, string what)
    {
        var canonical = CanonicalPath.Of(path);
        return CanonicalPath.IsInside(canonical, CanonicalPath.Of(directory))
            ? canonical
            : throw Invalid($"{what} lies outside the plugin's folder, at {canonical}");
    }

    private static PluginRejectedException Invalid(string reason, Exception? cause = null) =>
        new(PluginState.Invalid, reason, innerException: cause);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
    private static partial Regex IdPattern();

    [GeneratedRegex(@"\A[0-9]{1,5}\.[0-9]{1,5}\z")]
    private static partial Regex ContractPattern();

    // The grammar of semver.org 2.0.0, section 2 to 10.
    [GeneratedRegex(@"\A(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?\z")]
    private static partial Regex SemanticVersionPattern();
}

/// <summary>Compiled serialisation: reflection over plugin types would pin them.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(PluginManifest))]
[JsonSerializable(typeof(IReadOnlyList<PluginStatus>))]
internal sealed partial class PluginJsonContext : JsonSerializerContext;
