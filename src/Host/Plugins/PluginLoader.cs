using System.Reflection;
using AsrPlatform.Abstractions.Plugins;

namespace AsrPlatform.Host.Plugins;

/// <summary>A plugin that was looked at: its status and, when it is loaded, its services.</summary>
/// <param name="Status">What became of it.</param>
/// <param name="Services">Its service provider; null unless it is loaded. Owned by whoever loaded it.</param>
internal sealed record PluginInstance(PluginStatus Status, ServiceProvider? Services);

/// <summary>Takes one plugin from its folder to its services. A failure of any sort is a status.</summary>
internal sealed class PluginLoader(SharedAssemblies shared, IConfiguration configuration, ILoggerFactory loggers)
{
    /// <summary>Loads the plugin of a folder.</summary>
    /// <param name="directory">A folder that holds a <c>plugin.json</c>.</param>
    /// <param name="root">The folder that it must lie in, links resolved.</param>
    /// <param name="claim">Called with the id once it is known to be well formed; throws <see cref="PluginRejectedException"/> when it is taken.</param>
    public PluginInstance Load(string directory, string root, Action<string> claim)
    {
        var status = new PluginStatus { Id = Path.GetFileName(directory), Directory = directory, State = PluginState.Loaded };
        try
        {
            RequireInside(directory, root);
            var manifest = PluginManifestFile.Read(directory);
            PluginManifestFile.ValidateId(manifest);
            status = status with
            {
                Id = manifest.Id,
                Version = manifest.Version,
                Description = manifest.Description,
                Kinds = manifest.Kinds,
            };
            claim(manifest.Id);
            RequireEnabled(manifest);
            var assemblyPath = PluginManifestFile.Validate(manifest, directory);
            RequireNative(manifest, directory);
            return new PluginInstance(status, Start(manifest, directory, assemblyPath));
        }
        catch (PluginRejectedException rejection)
        {
            return new PluginInstance(
                status with { State = rejection.State, Reason = rejection.Message, Remedy = rejection.Remedy },
                Services: null);
        }
        catch (Exception error)
        {
            return new PluginInstance(
                status with { State = PluginState.Failed, Reason = $"{error.GetType().Name}: {OneLine.Of(error.Message)}" },
                Services: null);
        }
    }

    private static void RequireInside(string directory, string root)
    {
        var canonical = CanonicalPath.Of(directory);
        if (!CanonicalPath.IsInside(canonical, CanonicalPath.Of(root)))
        {
            throw new PluginRejectedException(
                PluginState.Invalid,
                $"the folder is a link that leads out of the plugins folder, to {canonical}",
                "copy the plugin into the plugins folder");
        }
    }

    private void RequireEnabled(PluginManifest manifest)
    {
        var key = $"Plugins:{manifest.Id}:Enabled";
        var value = configuration[key];
        if (value is not null && !bool.TryParse(value, out _))
        {
            throw new PluginRejectedException(PluginState.Invalid, $"the setting {key} is '{value}'; it must be true or false");
        }

        if (value is not null && !bool.Parse(value))
        {
            throw new PluginRejectedException(PluginState.Disabled, $"switched off by {key}", $"set {key} to true");
        }
    }

    private void RequireNative(PluginManifest manifest, string directory)
    {
        foreach (var requirement in manifest.Native)
        {
            if (NativeLibraries.WhyNotLoadable(requirement.Library, directory, shared.Directory) is { } reason)
            {
                throw new PluginRejectedException(
                    PluginState.NativeMissing,
                    $"the native library {requirement.Library} does not load: {reason}",
                    requirement.Remedy);
            }
        }
    }

    private ServiceProvider Start(PluginManifest manifest, string directory, string assemblyPath)
    {
        var step = "it cannot be loaded";
        ServiceProvider? provider = null;
        try
        {
            var assembly = new PluginLoadContext(manifest.Id, assemblyPath, shared).LoadFromAssemblyPath(assemblyPath);
            var type = EntryPoint(assembly);

            step = "its constructor threw";
            var plugin = (IPlugin)Activator.CreateInstance(type)!;

            step = "ConfigureServices threw";
            var section = configuration.GetSection($"Plugins:{manifest.Id}");
            var context = new PluginContext(manifest, directory, section, loggers);
            var services = new ServiceCollection();
            services
                .AddSingleton(context)
                .AddSingleton<IConfiguration>(section)
                .AddSingleton(loggers)
                .AddSingleton(typeof(ILogger<>), typeof(Logger<>))
                .AddSingleton(TimeProvider.System);
            plugin.ConfigureServices(context, services);
            RequireDeclared(manifest, services);

            step = "its services cannot be made";
            provider = services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });
            RequireKinds(manifest, provider);
            return provider;
        }
        catch (Exception error)
        {
            Discard(provider);
            if (error is PluginRejectedException)
            {
                throw;
            }

            throw Rejection(step, error);
        }
    }

    private void Discard(ServiceProvider? provider)
    {
        try
        {
            provider?.Dispose();
        }
        catch (Exception error)
        {
            PluginLog.DisposeFailed(loggers.CreateLogger<PluginLoader>(), error);
        }
    }

    private static Type EntryPoint(Assembly assembly)
    {
        var types = assembly.GetExportedTypes()
            .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IPlugin)))
            .ToList();
        var name = assembly.GetName().Name;
        if (types.Count != 1)
        {
            throw new PluginRejectedException(
                PluginState.Invalid,
                types.Count == 0
                    ? $"{name} has no public class that implements {nameof(IPlugin)}"
                    : $"{name} has {types.Count} public classes that implement {nameof(IPlugin)} ({string.Join(", ", types.Select(type => type.Name))}); there must be one");
        }

        return types[0].GetConstructor(Type.EmptyTypes) is not null
            ? types[0]
            : throw new PluginRejectedException(PluginState.Invalid, $"{types[0].Name} has no public constructor without parameters");
    }

    /// <summary>The manifest is what the host and its user go by: a plugin must not do more than it says.</summary>
    private static void RequireDeclared(PluginManifest manifest, ServiceCollection services)
    {
        var undeclared = PluginKind.All.FirstOrDefault(
            kind => !manifest.Kinds.Contains(kind.Name) && services.Any(service => service.ServiceType == kind.Service));
        if (undeclared is not null)
        {
            throw new PluginRejectedException(
                PluginState.Invalid,
                $"it registers an {undeclared.Service.Name}, but {PluginManifestFile.Name} does not declare the kind '{undeclared.Name}'");
        }
    }

    private static void RequireKinds(PluginManifest manifest, ServiceProvider provider)
    {
        foreach (var kind in manifest.Kinds.Select(kind => PluginKind.Find(kind)!))
        {
            var services = provider.GetServices(kind.Service).ToList();
            if (services.Count == 0)
            {
                throw new PluginRejectedException(
                    PluginState.Invalid,
                    $"{PluginManifestFile.Name} declares the kind '{kind.Name}', but it registers no {kind.Service.Name}");
            }

            if (services.Any(service => string.IsNullOrWhiteSpace(kind.NameOf(service!))))
            {
                throw new PluginRejectedException(PluginState.Invalid, $"its {kind.Service.Name} has no name");
            }
        }
    }

    private static PluginRejectedException Rejection(string step, Exception error)
    {
        var cause = error is TargetInvocationException { InnerException: { } inner } ? inner : error;
        var chain = Chain(cause).ToList();
        if (chain.OfType<PluginUnavailableException>().FirstOrDefault() is { } unavailable)
        {
            var state = Chain(unavailable).OfType<DllNotFoundException>().Any() ? PluginState.NativeMissing : PluginState.Failed;
            return new PluginRejectedException(state, OneLine.Of(unavailable.Message), unavailable.Remedy, error);
        }

        if (chain.OfType<DllNotFoundException>().FirstOrDefault() is { } missing)
        {
            return new PluginRejectedException(PluginState.NativeMissing, $"{step}: {OneLine.Of(missing.Message)}", innerException: error);
        }

        // How a changed interface shows itself when the manifest's contract version was wrong.
        if (chain.FirstOrDefault(link => link is TypeLoadException or MissingMemberException) is { } mismatch)
        {
            return new PluginRejectedException(
                PluginState.Incompatible,
                $"{step}: it was built against other assemblies than this host has: {OneLine.Of(mismatch.Message)}",
                "build the plugin against this host's AsrPlatform.Abstractions",
                error);
        }

        return new PluginRejectedException(
            PluginState.Failed,
            $"{step}: {cause.GetType().Name}: {OneLine.Of(cause.Message)}",
            innerException: error);
    }

    private static IEnumerable<Exception> Chain(Exception error)
    {
        for (Exception? link = error; link is not null; link = link.InnerException)
        {
            yield return link;
        }
    }
}
