using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>For whom an adapter is active: everybody, a tenant or a speaker. The narrowest that has one counts.</summary>
internal static class AdapterScope
{
    /// <summary>Everybody.</summary>
    public const string All = "";

    private const string TenantPrefix = "tenant:";
    private const string SpeakerPrefix = "speaker:";
    private const int LongestName = 64;

    public static string Tenant(string name) => TenantPrefix + name;

    public static string Speaker(string name) => SpeakerPrefix + name;

    /// <summary>The scopes that hold for a session, the narrowest first.</summary>
    public static IEnumerable<string> Of(string? tenant, string? speaker)
    {
        if (speaker is not null)
        {
            yield return Speaker(speaker);
        }

        if (tenant is not null)
        {
            yield return Tenant(tenant);
        }

        yield return All;
    }

    /// <summary>A scope as people write it: <c>all</c>, <c>tenant:NAME</c>, <c>speaker:NAME</c>; left out it is <c>all</c>.</summary>
    /// <exception cref="AsrException">It is none of these.</exception>
    public static string Parse(string? scope)
    {
        if (scope is null or All or "all")
        {
            return All;
        }

        foreach (var prefix in (ReadOnlySpan<string>)[TenantPrefix, SpeakerPrefix])
        {
            if (scope.StartsWith(prefix, StringComparison.Ordinal))
            {
                RequireName(prefix[..^1], scope[prefix.Length..]);
                return scope;
            }
        }

        throw new AsrException($"unknown scope '{scope}': give all, {TenantPrefix}NAME or {SpeakerPrefix}NAME");
    }

    /// <summary>Checks the name of a tenant or speaker.</summary>
    /// <exception cref="AsrException">It cannot be one.</exception>
    public static void RequireName(string what, string? name)
    {
        if (name is not null && (name.Length is 0 or > LongestName || name.Any(char.IsControl)))
        {
            throw new AsrException($"the name of a {what} has 1 to {LongestName} characters, none of them control characters");
        }
    }

    /// <summary>As people read it.</summary>
    public static string Show(string scope) => scope == All ? "all" : scope;
}
